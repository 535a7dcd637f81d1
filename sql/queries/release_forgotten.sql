-- After a reconnect: runs of the queues $1 that worker $2 holds and does not know of ($3: those it does), because the answer to
-- their claim was lost. They go back to their place in the line. Index runs_live_lease. Returns how many.
WITH forgotten AS (
    SELECT r.id, r.fence, r.started_at
      FROM unnest($1::text[]) AS lane (queue) JOIN dormouse.runs_live r ON r.queue = lane.queue
     WHERE r.status = 'running' AND r.worker = $2 AND r.id <> ALL ($3::uuid[])
       FOR UPDATE OF r SKIP LOCKED
), logged AS (
    INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome)
    SELECT id, $2, fence, started_at, 'handed_back' FROM forgotten
), back AS (
    UPDATE dormouse.runs_live r
       SET status = 'queued', fence = NULL, lease_until = NULL, worker = NULL, started_at = NULL
      FROM forgotten f WHERE r.id = f.id
    RETURNING r.queue
)
SELECT count(*), (SELECT count(dormouse.notify_queue(q.queue)) FROM (SELECT DISTINCT queue FROM back) q) FROM back
