-- What runs.sql does not find in its place, since its id says another time than it was made (a UUID of version 4, a clock that is wrong), newest first: the live
-- ones of no version 7 by their creation (index runs_live_foreign), those whose id lies in the future (runs_live_pkey), and the finished ones that are strays
-- (strays_finished_at, then runs_finished_id of one day for each). $1 to $6 and $10 to $13 as there; $7 how many of each kind are looked at (null: all; some
-- of $4 is given then), $8 the id from which on the others are in the future, $9 is not used. May give runs that runs.sql gives, too.
SELECT r.id, r.status, r.task, r.queue, r.attempts, r.max_attempts,
       extract(epoch FROM r.created_at), extract(epoch FROM r.run_at), extract(epoch FROM r.started_at),
       extract(epoch FROM r.finished_at), extract(epoch FROM clock_timestamp()),
       CASE WHEN r.status <> 'running' THEN r.error END, r.progress, r.progress_text,
       pg_catalog.json_build_object('id', r.id, 'task', r.task, 'queue', r.queue, 'status', r.status, 'priority', r.priority,
                         'created_at', r.created_at, 'run_at', r.run_at, 'started_at', r.started_at,
                         'finished_at', r.finished_at, 'attempts', r.attempts, 'max_attempts', r.max_attempts,
                         'worker', r.worker, 'progress', r.progress, 'progress_text', r.progress_text, 'key', r.key,
                         'error', CASE WHEN r.status <> 'running' THEN r.error END, 'archived_at', r.archived_at)
  FROM ((SELECT l.* FROM (SELECT o.* FROM dormouse.runs o
                          WHERE o.status IN ('queued', 'running', 'retry', 'blocked') AND (o.id >= '04000000-0000-0000-0000-000000000000'::uuid OR pg_catalog.get_byte(pg_catalog.uuid_send(o.id), 6) NOT BETWEEN 112 AND 127)
                            AND ($4::float8 IS NULL OR o.created_at >= to_timestamp($4::float8)) AND $9::uuid IS NULL
                          ORDER BY o.created_at DESC LIMIT $7::bigint) l
          WHERE true
            AND ($1::text IS NULL OR l.status = $1::text)
            AND ($4::float8 IS NULL OR l.created_at >= to_timestamp($4::float8))
            AND ($2::text IS NULL OR l.task = $2::text)
            AND ($3::text IS NULL OR l.queue = $3::text)
            AND ($6::boolean OR l.archived_at IS NULL)
            AND ($10::text IS NULL OR l.key = $10::text)
            AND ($11::text IS NULL OR pg_catalog.strpos(pg_catalog.concat(l.error ->> 'class'::text, ': '::text, l.error ->> 'message'::text), $11::text) > 0)
            AND ($12::uuid IS NULL OR l.worker = $12::uuid)
            AND ($13::float8 IS NULL OR l.created_at < to_timestamp($13::float8))
          ORDER BY l.created_at DESC LIMIT $5::bigint)
        UNION ALL
        (SELECT l.* FROM (SELECT o.* FROM dormouse.runs o
                          WHERE o.status IN ('queued', 'running', 'retry', 'blocked')
                            AND o.id > $8::uuid AND o.id < '04000000-0000-0000-0000-000000000000'::uuid
                          ORDER BY o.id DESC LIMIT $7::bigint) l
          WHERE true
            AND ($1::text IS NULL OR l.status = $1::text)
            AND ($4::float8 IS NULL OR l.created_at >= to_timestamp($4::float8))
            AND ($2::text IS NULL OR l.task = $2::text)
            AND ($3::text IS NULL OR l.queue = $3::text)
            AND ($6::boolean OR l.archived_at IS NULL)
            AND ($10::text IS NULL OR l.key = $10::text)
            AND ($11::text IS NULL OR pg_catalog.strpos(pg_catalog.concat(l.error ->> 'class'::text, ': '::text, l.error ->> 'message'::text), $11::text) > 0)
            AND ($12::uuid IS NULL OR l.worker = $12::uuid)
            AND ($13::float8 IS NULL OR l.created_at < to_timestamp($13::float8))
          ORDER BY l.created_at DESC LIMIT $5::bigint)
        UNION ALL
        (SELECT f.* FROM (SELECT DISTINCT n.id, n.finished_at
                            FROM (SELECT s.id, s.finished_at FROM dormouse.strays s
                                   WHERE $4::float8 IS NULL OR s.finished_at >= to_timestamp($4::float8)
                                   ORDER BY s.finished_at DESC LIMIT $7::bigint) n) stray
          CROSS JOIN LATERAL (SELECT o.* FROM dormouse.runs o
                               WHERE o.status IN ('completed', 'failed', 'canceled') AND o.id = stray.id AND o.finished_at = stray.finished_at
                               LIMIT 1) f
          WHERE true
            AND ($1::text IS NULL OR f.status = $1::text)
            AND ($4::float8 IS NULL OR f.created_at >= to_timestamp($4::float8))
            AND ($2::text IS NULL OR f.task = $2::text)
            AND ($3::text IS NULL OR f.queue = $3::text)
            AND ($6::boolean OR f.archived_at IS NULL)
            AND ($10::text IS NULL OR f.key = $10::text)
            AND ($11::text IS NULL OR pg_catalog.strpos(pg_catalog.concat(f.error ->> 'class'::text, ': '::text, f.error ->> 'message'::text), $11::text) > 0)
            AND ($12::uuid IS NULL OR f.worker = $12::uuid)
            AND ($13::float8 IS NULL OR f.created_at < to_timestamp($13::float8))
          ORDER BY f.created_at DESC LIMIT $5::bigint)) r
 ORDER BY r.created_at DESC, r.id DESC
 LIMIT $5::bigint
