-- Takes back what the workers $2 held in the queues $1: predecessors of this one in its unit, known to be dead (predecessors.h). The
-- lost attempt is logged and counts; their rows in the registry say that they have been replaced. Index runs_live_lease. Returns how many.
WITH lost AS (
    SELECT h.*
      FROM pg_catalog.unnest($1::text[]) AS lane (queue) CROSS JOIN LATERAL (
           SELECT l.ctid AS tid, l.worker, l.fence, l.started_at FROM dormouse.runs_live l
            WHERE l.queue = lane.queue AND l.status = 'running' AND l.worker = ANY ($2::uuid[])
              FOR UPDATE SKIP LOCKED) h
), back AS (
    UPDATE dormouse.runs_live r
       SET status = 'retry', run_at = least(r.run_at, now()), attempts = least(r.attempts + 1, 32767), lost = least(r.lost + 1, 32767), fence = NULL,
           lease_until = NULL, worker = NULL, started_at = NULL,
           error = pg_catalog.jsonb_build_object('class', 'lost', 'message', 'the worker that had this run died')
      FROM lost WHERE r.ctid = lost.tid
    RETURNING r.id, r.watched, r.progress, r.progress_text, lost.*
), over AS (
    UPDATE dormouse.worker_registry w SET state = 'left', left_at = now(), ended = 'replaced' WHERE w.state <> 'left' AND w.id = ANY ($2::uuid[])
), logged AS (
    INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome, progress, progress_text)
    SELECT id, worker, fence, started_at, 'lost', progress, progress_text FROM back
)
SELECT count(*), pg_catalog.count(CASE WHEN watched THEN pg_notify(dormouse.channel('news'::text), dormouse.told_as(id)) END) FROM back
