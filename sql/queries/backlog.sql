-- How many runs of the tasks $2 are due in each of the queues $1, and for how many milliseconds the first of them has been, for metrics: asked along with
-- a round that is made anyway, at most once in 15 s. Of each (queue, task, priority) 10,000 are counted at most. Locked rows count, they are not
-- claimed yet. Index runs_live_claim: one descent for each (queue, task, priority) as in claim.sql (dormouse.levels), and what is counted from there.
SELECT lane.queue, coalesce(pg_catalog.sum(level.due), 0)::bigint,
       -- a run may be due since -infinity: it counts as a year
       coalesce(ceil(extract(epoch FROM now() - greatest(pg_catalog.min(level.run_at), now() - interval '365 days')) * 1000.0), 0)::bigint
  FROM pg_catalog.unnest($1::text[]) AS lane (queue)
 CROSS JOIN (SELECT pg_catalog.array_agg(k.task ORDER BY k.task COLLATE pg_catalog."C") AS tasks FROM pg_catalog.unnest($2::text[]) AS k (task)) known
  LEFT JOIN LATERAL (
       SELECT l.run_at, (SELECT pg_catalog.count(*)
                           FROM (SELECT FROM dormouse.runs_live r
                                  WHERE r.queue = lane.queue AND r.task = l.task AND r.priority = l.priority AND r.status IN ('queued', 'retry')
                                    AND r.run_at <= now() LIMIT 10000) counted) AS due
         FROM dormouse.levels(lane.queue, known.tasks, '{}'::uuid[]) l
        WHERE l.run_at <= now()) level ON true
 GROUP BY lane.queue
