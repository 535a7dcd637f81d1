-- Five of the runs that matching.sql counts, with the same parameters but the last.
SELECT m.id, m.status, m.task, extract(epoch FROM m.created_at), left(pg_catalog.concat(m.error ->> 'class'::text, ': '::text, m.error ->> 'message'::text), 300)
  FROM dormouse.runs m
 WHERE m.status = ANY ($1::text[]) AND m.archived_at IS NULL AND m.created_at < to_timestamp($4::float8)
   AND ($2::text IS NULL OR m.task = $2::text)
   AND ($3::text IS NULL OR m.queue = $3::text)
   AND ($5::text IS NULL OR m.key = $5::text)
   AND ($7::uuid IS NULL OR m.worker = $7::uuid)
   AND ($6::text IS NULL OR strpos(pg_catalog.concat(m.error ->> 'class'::text, ': '::text, m.error ->> 'message'::text), $6::text) > 0)
 LIMIT 5
