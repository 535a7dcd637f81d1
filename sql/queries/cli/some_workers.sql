-- The marks of the processes of the worker $2, or of those of the pool $1 that have not left. Index worker_registry_pool or worker_registry_pkey.
SELECT r.id, r.host, r.pid, r.pid_start, r.boot_id, coalesce(r.pid_namespace, 0), r.pool
  FROM dormouse.worker_registry r
 WHERE (r.pool = $1::text OR r.id = $2::uuid) AND r.state <> 'left'
