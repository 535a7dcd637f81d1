-- Whether the database has heard of the pool $1. Indexes worker_registry_pool, retention_pkey.
SELECT EXISTS (SELECT FROM dormouse.worker_registry w WHERE w.pool = $1::text) OR EXISTS (SELECT FROM dormouse.retention r WHERE r.pool = $1::text)
