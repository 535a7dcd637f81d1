-- Forgets the worker $2, or all of the pool $1; who of them is still needed is said and nothing done. Index worker_registry_pool or worker_registry_pkey.
SELECT workers, pools, refused FROM dormouse.forget_workers($1::text, $2::uuid)
