-- Registers a worker at its first look, and forgets those that left more than 30 days ago.
WITH forgotten AS (DELETE FROM dormouse.worker_registry WHERE left_at < now() - interval '30 days')
INSERT INTO dormouse.worker_registry (id, pool, queues, unit, host, pid, pid_start, boot_id, instance_id, version, pid_namespace)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (id) DO UPDATE SET state = 'awake', left_at = NULL
