-- How long until the queues $1 need a look, in ms from the database's now(): the first run of the tasks $5, which are those that a claim would take
-- (known, with a slot free; the ids $6 are passed over), and the end of leases plus one lease of margin ($3 ms), but for the runs that worker $2
-- knows that it holds (their fences: $4). Leases are of any task. Null: nothing is due, ever (run_at may be infinity: parked).
-- The fences are hashed, once: a worker of many brief runs holds thousands, and each meets all of its entries (1 s of <> ALL for 4,000).
-- Index runs_live_claim, one descent for each (queue, task, priority) as in claim.sql (dormouse.levels), and runs_live_lease, one for each queue.
SELECT ceil(extract(epoch FROM nullif(least(pg_catalog.min(next.run_at), pg_catalog.min(next.lease_end)), 'infinity') - now()) * 1000.0)::bigint
  FROM pg_catalog.unnest($1::text[]) AS lane (queue)
 CROSS JOIN (SELECT pg_catalog.array_agg(k.task ORDER BY k.task COLLATE pg_catalog."C") AS tasks FROM pg_catalog.unnest($5::text[]) AS k (task)) known
 CROSS JOIN LATERAL (
       SELECT (SELECT pg_catalog.min(l.run_at) FROM dormouse.levels(lane.queue, known.tasks, $6) l) AS run_at,
              (SELECT l.lease_until + $3::bigint::float8 * interval '1 ms' FROM dormouse.runs_live l
                WHERE l.queue = lane.queue AND l.status = 'running' AND (l.worker <> $2 OR l.fence NOT IN (SELECT pg_catalog.unnest($4::bigint[])))
                ORDER BY l.lease_until LIMIT 1) AS lease_end) next
