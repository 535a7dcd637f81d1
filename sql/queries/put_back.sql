-- Puts runs back into their queues: arrays $2... hold one element for each run, $1 is the worker. `delay_ms` null keeps the run's
-- place in the line (handed back), else it is due that long from now. The attempt is logged; `counts` says whether it uses
-- one up; one that was cut off does from the fourth on. Only rows that still show the fence; locked rows are skipped. Other workers hear of runs that are due at once.
-- Returns the ids that went back. Index: primary key of runs_live.
WITH input AS (
    SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::boolean[], $7::text[], $8::smallint[],
                         $9::smallint[], $10::bigint[], $11::bigint[])
        AS i (id, fence, outcome, delay_ms, counts, error, exit_code, signal, cpu_ms, peak_memory_bytes)
), held AS (
    SELECT h.tid, h.started_at, j.*
      FROM input j CROSS JOIN LATERAL (
           SELECT l.ctid AS tid, l.started_at FROM dormouse.runs_live l
            WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $1
              FOR UPDATE SKIP LOCKED) h
), back AS (
    UPDATE dormouse.runs_live r
       SET status = CASE WHEN i.delay_ms IS NULL THEN 'queued' ELSE 'retry' END,
           run_at = CASE WHEN i.delay_ms IS NULL THEN r.run_at ELSE now() + i.delay_ms::float8 * interval '1 ms' END,
           attempts = least(r.attempts + (CASE WHEN i.outcome = 'cut_off' THEN r.cut_off >= 3 ELSE i.counts END)::int, 32767),
           cut_off = least(r.cut_off + (i.outcome = 'cut_off')::int, 32767), error = coalesce(i.error::jsonb, r.error),
           fence = NULL, lease_until = NULL, worker = NULL, started_at = NULL
      FROM held i WHERE r.ctid = i.tid
    RETURNING r.queue, r.watched, r.progress, r.progress_text, i.*
), logged AS (
    INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome, exit_code, signal, cpu_ms, peak_memory_bytes, error,
                                      progress, progress_text)
    SELECT id, $1, fence, started_at, outcome, exit_code, signal, cpu_ms, peak_memory_bytes, error::jsonb, progress, progress_text FROM back
)
SELECT id, CASE WHEN delay_ms IS NULL THEN dormouse.notify_queue(queue) END,
       CASE WHEN watched THEN pg_notify(dormouse.channel('news'::text), dormouse.told_as(id)) END
  FROM back
