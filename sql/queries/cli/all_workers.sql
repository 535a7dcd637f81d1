-- $1 which: awake (those that live, hold runs, or died within a day), all, or host: those of the host $2 or the boot $3, and of others those that
-- execute one run alone, which is over. The newest first. A view of a small table, read whole.
SELECT w.id, w.pool, w.host, w.pid, w.pid_start, w.boot_id, w.unit, w.version, w.state, w.condition, w.evidence, w.runs,
       extract(epoch FROM w.started_at), extract(epoch FROM w.left_at), extract(epoch FROM w.lease_until),
       extract(epoch FROM clock_timestamp()), pg_catalog.array_to_json(w.queues), coalesce(w.pid_namespace, 0),
       coalesce(w.ended, ''), extract(epoch FROM w.last_seen_at), w.concurrency, w.run_id, w.run_status, w.configured
  FROM dormouse.workers w
 WHERE CASE $1::text
            WHEN 'all' THEN true
            WHEN 'awake' THEN w.condition IN ('live', 'idle') OR w.runs > 0 OR (w.condition = 'dead' AND w.last_seen_at > now() - interval '1 day')
            ELSE w.host = $2::text OR w.boot_id::text = $3::text
                 OR (w.run_id IS NOT NULL AND w.condition IN ('live', 'idle') AND w.run_status IN ('completed', 'failed', 'canceled', 'gone')) END
 ORDER BY w.started_at DESC, w.id
