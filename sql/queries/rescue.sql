-- Takes back the runs of the queues $1 whose lease has ended, at most 1,000 of them, and logs the lost attempt, which counts.
-- Whether attempts are left is decided by who claims the run next. Index runs_live_lease. Returns how many.
WITH lost AS (
    SELECT r.id, r.worker, r.fence, r.started_at
      FROM unnest($1::text[]) AS lane (queue) JOIN dormouse.runs_live r ON r.queue = lane.queue
     WHERE r.status = 'running' AND r.lease_until < now()
     ORDER BY r.lease_until LIMIT 1000
       FOR UPDATE OF r SKIP LOCKED
), logged AS (
    INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome)
    SELECT id, worker, fence, started_at, 'lost' FROM lost
), back AS (
    UPDATE dormouse.runs_live r
       SET status = 'retry', run_at = now(), attempts = r.attempts + 1, fence = NULL, lease_until = NULL, worker = NULL,
           started_at = NULL,
           error = jsonb_build_object('class', 'lost', 'message', 'the worker that had this run died or was cut off')
      FROM lost WHERE r.id = lost.id
    RETURNING r.id
)
SELECT count(*) FROM back
