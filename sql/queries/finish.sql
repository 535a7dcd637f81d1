-- Ends runs for good: arrays $2... hold one element for each run, $1 is the worker. A row moves from the live leaf to the
-- finished ones in one statement, its last attempt with it. Only rows that still show the fence, which only a running
-- one can (with `status = 'running'` here the planner would take the lease index); locked rows are skipped.
-- Returns the ids that ended. Index: primary key of runs_live.
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
    RETURNING r.*, i.status AS new_status, i.result::jsonb AS new_result, i.error::jsonb AS new_error,
              i.exit_code AS new_exit_code, i.signal AS new_signal, i.cpu_ms AS new_cpu_ms,
              i.peak_memory_bytes AS new_peak_memory_bytes, i.counts
), finished AS (
    INSERT INTO dormouse.runs_finished (id, queue, task, status, priority, payload, run_at, attempts, max_attempts, timeout_ms,
                created_at, started_at, finished_at, worker, result, error, progress, progress_text, key, traceparent, watched,
                last_fence, exit_code, signal, cpu_ms, peak_memory_bytes, lost, cut_off)
    SELECT id, queue, task, new_status, priority, payload, run_at, least(attempts + counts::int, 32767), max_attempts, timeout_ms,
           created_at, started_at, now(), worker, new_result, new_error, progress, progress_text, key, traceparent, watched,
           fence, new_exit_code, new_signal, new_cpu_ms, new_peak_memory_bytes, lost, cut_off
      FROM moved
    RETURNING id, watched
)
SELECT id, CASE WHEN watched THEN pg_notify('dormouse:done', dormouse.told_as(id)) END FROM finished
