-- What status shows of workers: of each pool those that have a session or hold runs, and the last one of each host, of the 20 that came last. Columns as in all_workers.sql.
-- Indexes worker_registry_pool, worker_registry_session, runs_live_lease, worker_registry_pkey.
WITH RECURSIVE pools AS (
    (SELECT r.pool FROM dormouse.worker_registry r ORDER BY r.pool LIMIT 1)
    UNION ALL
    SELECT (SELECT r.pool FROM dormouse.worker_registry r WHERE r.pool > p.pool ORDER BY r.pool LIMIT 1) FROM pools p WHERE p.pool IS NOT NULL
), chosen AS (
    SELECT l.id FROM pools p CROSS JOIN LATERAL (
           SELECT r.id FROM dormouse.worker_registry r WHERE r.pool = p.pool ORDER BY r.started_at DESC LIMIT 20) l
    UNION
    SELECT r.id FROM pg_stat_activity s JOIN dormouse.worker_registry r ON r.left_at IS NULL AND r.session_pid = s.pid
    UNION
    SELECT r.worker FROM dormouse.runs r WHERE r.status = 'running'
), seen AS (
    SELECT w.*, pg_catalog.row_number() OVER (PARTITION BY w.pool, w.host ORDER BY w.started_at DESC, w.id) AS nth
      FROM dormouse.workers w WHERE w.id = ANY (ARRAY(SELECT c.id FROM chosen c))
)
SELECT s.id, s.pool, s.host, s.pid, s.pid_start, s.boot_id, s.unit, s.version, s.state, s.condition, s.evidence, s.runs,
       extract(epoch FROM s.started_at), extract(epoch FROM s.left_at), extract(epoch FROM s.lease_until),
       extract(epoch FROM clock_timestamp()), pg_catalog.array_to_json(s.queues), coalesce(s.pid_namespace, 0),
       coalesce(s.ended, ''), extract(epoch FROM s.last_seen_at), s.concurrency, s.run_id, s.run_status, s.configured
  FROM seen s
 WHERE s.nth = 1 OR s.runs > 0 OR (s.condition IN ('live', 'idle') AND s.state = 'awake')
 ORDER BY s.pool, s.started_at DESC, s.id
