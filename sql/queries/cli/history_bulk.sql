-- What operators did with a filter while run $1 was there, if the filter's task and queue are the run's or none: which runs it meant is not kept. At most $2,
-- the last ones first, $3 rows to read; portions of one command are one. Columns as in history.sql. Index operations_done_at.
SELECT extract(epoch FROM pg_catalog.min(o.done_at)), o.who, o.operation, o.run_id, o.filter, sum(o.runs), o.reason
  FROM (SELECT p.*
          FROM dormouse.run($1::uuid) r CROSS JOIN dormouse.operations p
         WHERE p.done_at >= r.created_at AND p.done_at <= coalesce(greatest(r.finished_at, r.archived_at), 'infinity'::timestamptz)
           AND p.run_id IS NULL AND p.operation <> 'scale'
           AND coalesce(p.filter ->> 'task'::text, r.task) = r.task AND coalesce(p.filter ->> 'queue'::text, r.queue) = r.queue
         ORDER BY p.done_at DESC LIMIT $3::bigint) o
 GROUP BY o.who, o.session, o.operation, o.run_id, o.filter, o.reason ORDER BY pg_catalog.max(o.id) DESC LIMIT $2::bigint
