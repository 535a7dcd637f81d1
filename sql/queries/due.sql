-- How long until the queues $1 need a look, in ms from the database's now(): the claim's predicate without its time test, and
-- the end of leases plus one lease of margin ($3 ms), but for the runs that worker $2 knows that it holds (their fences: $4).
-- Runs of the tasks $5 are passed over: this pool is at their limit, and looks when one of them has ended. Null: nothing is due, ever (run_at may be
-- infinity: parked).
-- The fences are hashed, once: a worker of many brief runs holds thousands, and each meets all of its entries (1 s of <> ALL for 4,000).
-- Index runs_live_claim, one descent for each (queue, priority), and runs_live_lease, one for each queue.
SELECT ceil(extract(epoch FROM nullif(least(min(next.run_at), min(next.lease_end)), 'infinity') - now()) * 1000)::bigint
  FROM unnest($1::text[]) AS lane (queue)
 CROSS JOIN LATERAL (
       SELECT (WITH RECURSIVE level (priority, run_at) AS (
                   (SELECT l.priority, l.run_at FROM dormouse.runs_live l
                     WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND l.task <> ALL ($5::text[])
                     ORDER BY l.priority, l.run_at LIMIT 1)
                   UNION ALL
                   SELECT n.priority, n.run_at
                     FROM level CROSS JOIN LATERAL (
                          SELECT l.priority, l.run_at FROM dormouse.runs_live l
                           WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND l.priority > level.priority
                             AND l.task <> ALL ($5::text[])
                           ORDER BY l.priority, l.run_at LIMIT 1) n)
               SELECT min(run_at) FROM level) AS run_at,
              (SELECT l.lease_until + $3::bigint * interval '1 ms' FROM dormouse.runs_live l
                WHERE l.queue = lane.queue AND l.status = 'running' AND (l.worker <> $2 OR l.fence NOT IN (SELECT unnest($4::bigint[])))
                ORDER BY l.lease_until LIMIT 1) AS lease_end) next
