-- How many runs of the tasks $2 are due in each of the queues $1, and for how many milliseconds the first of them has been, for metrics and alerts: asked along with
-- a round that is made anyway, at most once in 15 s. Of a queue 10,000 are counted at most, of many queues 50,000 in all, but 100 of each (counting 600,000
-- takes 300 ms; measures.cpp has the same bound). Locked rows count, they are not claimed yet. Index runs_live_claim: one descent for each (queue, task, priority) as in claim.sql (dormouse.levels), and what is counted from there.
SELECT lane.queue, backlog.due,
       CASE WHEN backlog.oldest IS NULL THEN 0
            ELSE ceil(extract(epoch FROM now() - greatest(backlog.oldest, now() - interval '365 days')) * 1000.0) END::bigint  -- -infinity: a year
  FROM pg_catalog.unnest($1::text[]) AS lane (queue)
 CROSS JOIN (SELECT pg_catalog.array_agg(k.task ORDER BY k.task COLLATE pg_catalog."C") AS tasks FROM pg_catalog.unnest($2::text[]) AS k (task)) known
 CROSS JOIN LATERAL (
       WITH level AS MATERIALIZED (
           SELECT l.task, l.priority, l.run_at FROM dormouse.levels(lane.queue, known.tasks, '{}'::uuid[]) l WHERE l.run_at <= now()
       )
       SELECT (SELECT pg_catalog.min(l.run_at) FROM level l) AS oldest,
              (SELECT pg_catalog.count(*)
                 FROM (SELECT FROM level l CROSS JOIN LATERAL (
                              SELECT FROM dormouse.runs_live r
                               WHERE r.queue = lane.queue AND r.task = l.task AND r.priority = l.priority AND r.status IN ('queued', 'retry')
                                 AND r.run_at <= now()
                              OFFSET 0) r  -- one level after the other
                        LIMIT greatest(least(10000, 50000 / pg_catalog.cardinality($1::text[])), 100)) counted) AS due) backlog
