-- Ends runs for good: arrays $2... hold one element for each run, $1 is the worker. A row moves from the live leaf to the
-- finished ones in one statement, its last attempt with it. Only rows that still show the fence, which only a running
-- one can (with `status = 'running'` here the planner would take the lease index); locked rows are skipped.
-- Returns the ids that ended. Index: primary key of runs_live.
-- The whole row moves, also columns that somebody has added to dormouse.runs: the worker puts their names at the markers (src/store/columns.h).
-- What it knows of them may be out of date. Then both sides of `columns` differ, and Postgres refuses the statement (42601, 42703) when it analyses it,
-- which it does anew after each ALTER TABLE. It neither plans nor executes `columns`. What joins the row on its way has names with
-- a point; where a column of somebody's begins as they do, the worker gives them more points.
WITH input AS (
    SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::smallint[],
                         $9::bigint[], $10::bigint[], $11::boolean[])
        AS i (id, fence, status, result, error, exit_code, signal, cpu_ms, peak_memory_bytes, counts)
), held AS (
    SELECT h.tid, j.*
      FROM input j CROSS JOIN LATERAL (
           SELECT l.ctid AS tid FROM dormouse.runs_live l
            WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $1
              FOR UPDATE SKIP LOCKED) h
), moved AS (
    DELETE FROM dormouse.runs_live r USING held i WHERE r.ctid = i.tid
    RETURNING r.*, i.status AS "ending.status", i.result::jsonb AS "ending.result", i.error::jsonb AS "ending.error",
              i.exit_code AS "ending.exit_code", i.signal AS "ending.signal", i.cpu_ms AS "ending.cpu_ms",
              i.peak_memory_bytes AS "ending.peak_memory_bytes", i.counts AS "ending.counts"
), finished AS (
    INSERT INTO dormouse.runs_finished (id, queue, task, status, priority, payload, run_at, attempts, max_attempts, timeout_ms,
                created_at, started_at, finished_at, worker, result, error, progress, progress_text, key, traceparent, watched,
                last_fence, exit_code, signal, cpu_ms, peak_memory_bytes, lost, cut_off/*own*/) OVERRIDING SYSTEM VALUE
    SELECT id, queue, task, "ending.status", priority, payload, run_at, least(attempts + "ending.counts"::int, 32767), max_attempts, timeout_ms,
           created_at, started_at, now(), worker, "ending.result", "ending.error", progress, progress_text, key, traceparent, watched,
           fence, "ending.exit_code", "ending.signal", "ending.cpu_ms", "ending.peak_memory_bytes", lost, cut_off/*own*/
      FROM moved
    RETURNING id, watched, task, status
), columns AS (
    SELECT * FROM dormouse.runs_live UNION ALL
    SELECT /*columns*/id, queue, task, priority, payload, run_at, attempts, max_attempts, timeout_ms, created_at, key, traceparent, watched, status,
           started_at, finished_at, archived_at, worker, fence, lease_until, result, error, progress, progress_text, last_fence, exit_code, signal,
           cpu_ms, peak_memory_bytes, lost, cut_off/*end*/ FROM dormouse.runs_live
)
SELECT id, CASE WHEN watched THEN pg_notify(dormouse.channel('done'::text), dormouse.told_as(id)) END,
       CASE WHEN id NOT BETWEEN (SELECT (lpad(to_hex((date_part('epoch', now()) * 1000::float8)::bigint - 129600000), 12, '0') || '00000000000000000000')::uuid)
                        AND (SELECT (lpad(to_hex((date_part('epoch', now()) * 1000::float8)::bigint + 3600000), 12, '0') || '00000000000000000000')::uuid)
            THEN dormouse.note_stray(id, now()) END,  -- 06_by_id.sql
       (SELECT dormouse.count_endings(pg_catalog.array_agg(f.task::text), pg_catalog.array_agg(f.status::text)) FROM finished f)  -- 14_endings.sql
  FROM finished
 WHERE (SELECT CASE WHEN (SELECT count(*) FROM moved) = (SELECT count(*) FROM finished) THEN true ELSE dormouse.kept_out() END)  -- 14_endings.sql
