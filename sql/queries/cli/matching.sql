-- What an operation with a filter means: $1 statuses, $2 task, $3 queue, $4 created before (epoch), $5 key, $6 part of the error, $7 worker, $8 rows to
-- count at most. One row for each status, task and queue, the most first, with the number of all.
-- Reads what the status leaves of the partitions until it has found so many: of operators, before they decide, and for a limited time.
SELECT r.status, r.task, r.queue, count(*), extract(epoch FROM pg_catalog.min(r.created_at)), sum(count(*)) OVER ()
  FROM (SELECT m.status, m.task, m.queue, m.created_at FROM dormouse.runs m
         WHERE m.status = ANY ($1::text[]) AND m.archived_at IS NULL AND m.created_at < to_timestamp($4::float8)
           AND ($2::text IS NULL OR m.task = $2::text)
           AND ($3::text IS NULL OR m.queue = $3::text)
           AND ($5::text IS NULL OR m.key = $5::text)
           AND ($7::uuid IS NULL OR m.worker = $7::uuid)
           AND ($6::text IS NULL OR strpos(pg_catalog.concat(m.error ->> 'class'::text, ': '::text, m.error ->> 'message'::text), $6::text) > 0)
         LIMIT $8::bigint) r
 GROUP BY r.status, r.task, r.queue ORDER BY count(*) DESC, r.status, r.task, r.queue
