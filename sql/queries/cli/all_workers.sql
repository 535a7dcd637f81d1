-- $1 those that have left as well, $2 and $3 of this host or this boot, or null. The newest first.
-- A view of a small table, read whole.
SELECT w.id, w.pool, w.host, w.pid, w.pid_start, w.boot_id, w.unit, w.version, w.state, w.condition, w.evidence, w.runs,
       extract(epoch FROM w.started_at), extract(epoch FROM w.left_at), extract(epoch FROM w.lease_until),
       extract(epoch FROM clock_timestamp()), pg_catalog.array_to_json(w.queues), coalesce(w.pid_namespace, 0)
  FROM dormouse.workers w
 WHERE ($1::boolean OR w.condition <> 'left') AND ($2::text IS NULL OR w.host = $2::text OR w.boot_id::text = $3::text)
 ORDER BY w.started_at DESC, w.id
