-- finish.sql without locking the rows first, which spares a record of the log for each run (54 of 930 bytes), and with one look at each instead of two (a
-- fifth of what it costs). A row that somebody has locked makes it wait, so it is for a session with a short lock_timeout (500 ms): if it fails with 55P03, the round
-- is sent again with finish.sql, which skips such rows. Everything else as there: parameters, result, and only rows that still show the fence, also if they
-- have changed since. Index: primary key of runs_live, for each of the input by itself: what is compared in this way can be neither hashed nor merged, whatever the
-- planner believes of the table.
WITH input AS (
    SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::smallint[],
                         $9::bigint[], $10::bigint[], $11::boolean[])
        AS i (id, fence, status, result, error, exit_code, signal, cpu_ms, peak_memory_bytes, counts)
), moved AS (
    DELETE FROM dormouse.runs_live r USING input i WHERE r.id >= i.id AND r.id <= i.id AND (r.fence = i.fence) IS TRUE AND r.worker = $1
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
), columns AS (  -- see finish.sql
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
