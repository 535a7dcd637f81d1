-- What an operation with a filter means: $1 statuses, $2 task, $3 queue, $4 created before (epoch). One row for each
-- status, task and queue, the most first, with the number of all.
-- Reads what the status leaves of the partitions: of operators, and before they decide.
SELECT r.status, r.task, r.queue, count(*), extract(epoch FROM pg_catalog.min(r.created_at)), sum(count(*)) OVER ()
  FROM dormouse.runs r
 WHERE r.status = ANY ($1::text[]) AND r.archived_at IS NULL AND r.created_at < to_timestamp($4::float8)
   AND ($2::text IS NULL OR r.task = $2::text)
   AND ($3::text IS NULL OR r.queue = $3::text)
 GROUP BY r.status, r.task, r.queue ORDER BY count(*) DESC, r.status, r.task, r.queue
