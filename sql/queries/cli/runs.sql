-- One portion: $1 status, $2 task, $3 queue, $4 created since (epoch), $5 limit, $6 archived ones too; null: any. $7 of the live ones and $8 of the finished
-- ones those behind this id (null: all), $9 both up to this one: runs_reach.sql has said how many these are. $10 key, $11 a part of the error, $12 worker, $13
-- created before (epoch); null: any. Newest first by id, which is ordered by time but for those of runs_foreign.sql: the primary key of runs_live and the
-- indexes runs_finished_id or runs_finished_ill, merged. Partitions that the status or the time rules out are pruned. No index knows tasks and queues of
-- completed runs, for which each completion would pay.
SELECT r.id, r.status, r.task, r.queue, r.attempts, r.max_attempts,
       extract(epoch FROM r.created_at), extract(epoch FROM r.run_at), extract(epoch FROM r.started_at),
       extract(epoch FROM r.finished_at), extract(epoch FROM clock_timestamp()),
       CASE WHEN r.status <> 'running' THEN r.error END, r.progress, r.progress_text,
       pg_catalog.json_build_object('id', r.id, 'task', r.task, 'queue', r.queue, 'status', r.status, 'priority', r.priority,
                         'created_at', r.created_at, 'run_at', r.run_at, 'started_at', r.started_at,
                         'finished_at', r.finished_at, 'attempts', r.attempts, 'max_attempts', r.max_attempts,
                         'worker', r.worker, 'progress', r.progress, 'progress_text', r.progress_text, 'key', r.key,
                         'error', CASE WHEN r.status <> 'running' THEN r.error END, 'archived_at', r.archived_at)
  FROM ((SELECT l.* FROM dormouse.runs l
          WHERE l.status IN ('queued', 'running', 'retry', 'blocked')
            AND ($1::text IS NULL OR l.status = $1::text)
            AND ($4::float8 IS NULL OR l.created_at >= to_timestamp($4::float8))
            AND ($2::text IS NULL OR l.task = $2::text)
            AND ($3::text IS NULL OR l.queue = $3::text)
            AND ($6::boolean OR l.archived_at IS NULL)
            AND ($10::text IS NULL OR l.key = $10::text)
            AND ($11::text IS NULL OR pg_catalog.strpos(pg_catalog.concat(l.error ->> 'class'::text, ': '::text, l.error ->> 'message'::text), $11::text) > 0)
            AND ($12::uuid IS NULL OR l.worker = $12::uuid)
            AND ($13::float8 IS NULL OR l.created_at < to_timestamp($13::float8))
            AND ($7::uuid IS NULL OR l.id > $7::uuid) AND ($9::uuid IS NULL OR l.id <= $9::uuid)
          ORDER BY l.id DESC LIMIT $5::bigint)
        UNION ALL
        (SELECT f.* FROM dormouse.runs f
          WHERE f.status IN ('completed', 'failed', 'canceled')
            AND ($1::text IS NULL OR f.status = $1::text)
            AND ($4::float8 IS NULL OR f.created_at >= to_timestamp($4::float8))
            AND ($4::float8 IS NULL OR f.finished_at >= to_timestamp($4::float8))  -- leaves out the days before
            AND ($2::text IS NULL OR f.task = $2::text)
            AND ($3::text IS NULL OR f.queue = $3::text)
            AND ($6::boolean OR f.archived_at IS NULL)
            AND ($10::text IS NULL OR f.key = $10::text)
            AND ($11::text IS NULL OR pg_catalog.strpos(pg_catalog.concat(f.error ->> 'class'::text, ': '::text, f.error ->> 'message'::text), $11::text) > 0)
            AND ($12::uuid IS NULL OR f.worker = $12::uuid)
            AND ($13::float8 IS NULL OR f.created_at < to_timestamp($13::float8))
            AND ($8::uuid IS NULL OR f.id > $8::uuid) AND ($9::uuid IS NULL OR f.id <= $9::uuid)
          ORDER BY f.id DESC LIMIT $5::bigint)) r
 ORDER BY r.id DESC
 LIMIT $5::bigint
