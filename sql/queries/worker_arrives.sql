-- Registers a worker at its first look, and forgets some of those that left more than 30 days ago, and of those that began more than 90 days ago and
-- have never been heard of again: no run and no session of their pool is there. Indexes worker_registry_left, worker_registry_awake, runs_live_lease.
WITH forgotten AS (
    DELETE FROM dormouse.worker_registry w
     WHERE w.id = ANY (ARRAY(
           (SELECT l.id FROM dormouse.worker_registry l WHERE l.left_at < now() - interval '30 days' ORDER BY l.left_at LIMIT 50)
            UNION ALL
           (SELECT a.id FROM dormouse.worker_registry a
             WHERE a.left_at IS NULL AND a.started_at < now() - interval '90 days'
               AND NOT EXISTS (SELECT FROM pg_stat_activity s
                                WHERE s.application_name = 'dormouse worker ' || a.pool AND s.pid <> pg_backend_pid())
               AND NOT EXISTS (SELECT FROM dormouse.runs_live r WHERE r.status = 'running' AND r.worker = a.id)
             ORDER BY a.started_at LIMIT 50)))
)
INSERT INTO dormouse.worker_registry (id, pool, queues, unit, host, pid, pid_start, boot_id, instance_id, version, pid_namespace)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (id) DO UPDATE SET state = 'awake', left_at = NULL
