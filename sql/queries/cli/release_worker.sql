-- $1 worker, $2 host, $3 pid, $4 its start, $5 boot id: only while the row says the same. $6: only when its leases
-- have ended.
-- Index worker_registry_pkey; the runs by runs_live_lease.
SELECT released, locked, refused FROM dormouse.release_worker($1::uuid, $2::text, $3::int, $4::bigint, $5::uuid, $6::boolean)
