-- The last worker of each pool on each host.
-- A view of a small table, read whole.
SELECT DISTINCT ON (pool, host)
       pool, host, pid, pid_start, boot_id, pg_catalog.array_to_json(queues), state, extract(epoch FROM started_at),
       extract(epoch FROM left_at), runs, version, coalesce(pid_namespace, 0)
  FROM dormouse.workers ORDER BY pool, host, started_at DESC
