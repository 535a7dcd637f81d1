-- Registers a worker with its session, after its first look and again with each session that follows, and forgets some of those that left more than
-- 30 days ago, and of those that began more than 90 days ago and are no more: they have no session, are not heard of, and hold no run. $12 how many runs
-- it executes at once, $13 the run of --run, $14 whether it closes its session on purpose: it may then be silent for a day unless it says more
-- (worker_leaves.sql), $15 what dormouse.scale() can bring $12 to at most. Indexes worker_registry_left, worker_registry_awake, runs_live_lease.
WITH forgotten AS (
    DELETE FROM dormouse.worker_registry w
     WHERE w.id = ANY (ARRAY(
           (SELECT l.id FROM dormouse.worker_registry l WHERE l.left_at < now() - interval '30 days' ORDER BY l.left_at LIMIT 50)
            UNION ALL
           (SELECT a.id FROM dormouse.worker_registry a
             WHERE a.left_at IS NULL AND a.started_at < now() - interval '90 days' AND coalesce(a.rests_until < now(), true)
               AND NOT EXISTS (SELECT FROM pg_stat_get_activity(a.session_pid) s WHERE s.pid = a.session_pid AND s.usesysid = a.session_login)
               AND NOT EXISTS (SELECT FROM dormouse.runs_live r WHERE r.status = 'running' AND r.worker = a.id)
             ORDER BY a.started_at LIMIT 50)))
)
INSERT INTO dormouse.worker_registry (id, pool, queues, unit, host, pid, pid_start, boot_id, instance_id, version, pid_namespace, concurrency, run_id,
                                      rests_until, session_pid, session_login, session_started_at, concurrency_max)
    SELECT $1::uuid, $2::text, $3::text[], $4::text, $5::text, $6::int4, $7::int8, $8::uuid, $9::uuid, $10::text, $11::int8, $12::int4, $13::uuid,
           CASE WHEN $14::boolean THEN now() + interval '1 day' END, s.pid, s.usesysid, s.backend_start, $15::int4
      FROM (SELECT pg_backend_pid() AS pid) me LEFT JOIN pg_stat_get_activity(pg_backend_pid()) s ON s.pid = me.pid
    ON CONFLICT (id) DO UPDATE
   SET state = 'awake', left_at = NULL, ended = NULL, seen_at = now(), rests_until = excluded.rests_until, session_pid = excluded.session_pid,
       session_login = excluded.session_login, session_started_at = excluded.session_started_at
