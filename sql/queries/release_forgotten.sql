-- After a reconnect: runs of the queues $1 that worker $2 holds and does not know of ($3: the fences of those it does), because the answer to
-- their claim was lost. They go back to their place in the line. Index runs_live_lease. Returns how many.
WITH forgotten AS (
    SELECT h.*
      FROM pg_catalog.unnest($1::text[]) AS lane (queue) CROSS JOIN LATERAL (
           SELECT l.ctid AS tid, l.fence, l.started_at FROM dormouse.runs_live l
            WHERE l.queue = lane.queue AND l.status = 'running' AND l.worker = $2 AND l.fence NOT IN (SELECT pg_catalog.unnest($3::bigint[]))
              FOR UPDATE SKIP LOCKED) h
), back AS (
    UPDATE dormouse.runs_live r
       SET status = 'queued', fence = NULL, lease_until = NULL, worker = NULL, started_at = NULL
      FROM forgotten f WHERE r.ctid = f.tid
    RETURNING r.id, r.queue, f.fence, f.started_at
), logged AS (
    INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome)
    SELECT id, $2, fence, started_at, 'handed_back' FROM back
)
SELECT count(*), (SELECT pg_catalog.count(dormouse.notify_queue(q.queue)) FROM (SELECT DISTINCT queue FROM back) q) FROM back
