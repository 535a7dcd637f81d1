-- What operators did last: $1 to this run (null: to any), $2 at most so many, $3 rows to read. Portions of one command are one. Index operations_pkey, or
-- operations_run.
SELECT extract(epoch FROM pg_catalog.min(o.done_at)), o.who, o.operation, o.run_id, o.filter, sum(o.runs), o.reason
  FROM (SELECT * FROM dormouse.operations p WHERE ($1::uuid IS NULL OR p.run_id = $1::uuid) ORDER BY p.id DESC LIMIT $3::bigint) o
 GROUP BY o.who, o.session, o.operation, o.run_id, o.filter, o.reason ORDER BY pg_catalog.max(o.id) DESC LIMIT $2::bigint
