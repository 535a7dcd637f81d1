-- Fails the run $1, which waits, for good and without an attempt, because it cannot be claimed: its row makes each statement fail that touches it.
-- $2 and $3: class and message of the error. The payload is dropped, since it may be what nobody can write out or check. Whoever waits for the run
-- is told. Returns the id; no row: it does not wait any more, or is locked. Index: primary key of runs_live
-- (by a plain status the planner would take runs_live_claim, and walk all of it).
WITH refused AS (
    DELETE FROM dormouse.runs_live r
     WHERE r.ctid = ANY (ARRAY(SELECT l.ctid FROM dormouse.runs_live l
                                WHERE l.id = $1 AND l.status || '' IN ('queued', 'retry') FOR UPDATE SKIP LOCKED))
       AND r.fence IS NULL
    RETURNING r.*
), finished AS (
    INSERT INTO dormouse.runs_finished (id, queue, task, status, priority, payload, run_at, attempts, max_attempts, timeout_ms,
                created_at, finished_at, error, progress, progress_text, key, traceparent, watched, lost, cut_off/*own*/) OVERRIDING SYSTEM VALUE
    SELECT id, queue, task, 'failed', priority, '{}', run_at, attempts, max_attempts, timeout_ms, created_at, now(),
           pg_catalog.jsonb_build_object('class', $2::text, 'message', $3::text), progress, progress_text, key, traceparent, watched,
           lost, cut_off/*own*/
      FROM refused
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
 WHERE (SELECT CASE WHEN (SELECT count(*) FROM refused) = (SELECT count(*) FROM finished) THEN true ELSE dormouse.kept_out() END)  -- 14_endings.sql
