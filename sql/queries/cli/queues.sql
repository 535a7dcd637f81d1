-- What waits, runs and comes next, by queue, of the first 1,000 queues in which something waits, runs or is blocked. However much there is, a part of it is
-- read: of each queue an equal share of 50,000 runs that are due and as many that are not, of 5,000 pairs of task and priority, of 10,000 that wait for another
-- attempt, of 20,000 that run and of 10,000 blocked ones. Columns: queue; how many are due, put off, running, retrying, blocked; for each of these whether there may be more; the
-- first that is due, the next one (epoch); how many have been due for 15 minutes, how many have a lease that has ended; whether there are more queues.
-- Index runs_live_claim: one descent for each queue, four for each (queue, task, priority), and what is counted from there; runs_live_lease and
-- runs_live_retry_queue: two for each queue, and what is counted.
WITH RECURSIVE waiting (queue) AS (
    (SELECT l.queue FROM dormouse.runs_live l WHERE l.status IN ('queued', 'retry') ORDER BY l.queue LIMIT 1)
    UNION ALL
    SELECT following.queue
      FROM waiting w CROSS JOIN LATERAL (
           SELECT l.queue FROM dormouse.runs_live l
            WHERE l.status IN ('queued', 'retry') AND l.queue > w.queue ORDER BY l.queue LIMIT 1) following
), lanes AS MATERIALIZED (
    SELECT w.queue FROM waiting w LIMIT 1001
), lane AS MATERIALIZED (
    SELECT l.queue FROM lanes l LIMIT 1000
), share AS MATERIALIZED (
    SELECT greatest(50000 / greatest(count(*), 1), 100) AS runs, greatest(5000 / greatest(count(*), 1), 10) AS levels,
           greatest(10000 / greatest(count(*), 1), 10) AS retries
      FROM lane
), executing (queue) AS (
    (SELECT l.queue FROM dormouse.runs_live l WHERE l.status = 'running' ORDER BY l.queue LIMIT 1)
    UNION ALL
    SELECT following.queue
      FROM executing e CROSS JOIN LATERAL (
           SELECT l.queue FROM dormouse.runs_live l WHERE l.status = 'running' AND l.queue > e.queue ORDER BY l.queue LIMIT 1) following
), slots AS MATERIALIZED (
    SELECT e.queue FROM executing e LIMIT 1001
), running AS MATERIALIZED (
    SELECT s.queue, here.running, here.ended, here.running >= part.runs AS partly
      FROM (SELECT queue FROM slots LIMIT 1000) s
     CROSS JOIN (SELECT greatest(20000 / greatest(count(*), 1), 20) AS runs FROM slots) part
     CROSS JOIN LATERAL (
           SELECT count(*) AS running, count(*) FILTER (WHERE r.lease_until < now()) AS ended
             FROM (SELECT l.lease_until FROM dormouse.runs_live l
                    WHERE l.status = 'running' AND l.queue = s.queue ORDER BY l.lease_until LIMIT part.runs) r) here
), standing (queue) AS (
    (SELECT l.queue FROM dormouse.runs_live l WHERE l.status = 'blocked' ORDER BY l.queue LIMIT 1)
    UNION ALL
    SELECT following.queue
      FROM standing s CROSS JOIN LATERAL (
           SELECT l.queue FROM dormouse.runs_live l WHERE l.status = 'blocked' AND l.queue > s.queue ORDER BY l.queue LIMIT 1) following
), blocks AS MATERIALIZED (
    SELECT s.queue FROM standing s LIMIT 1001
), blocked AS MATERIALIZED (
    SELECT b.queue, here.blocked, here.blocked >= part.runs AS partly
      FROM (SELECT queue FROM blocks LIMIT 1000) b
     CROSS JOIN (SELECT greatest(10000 / greatest(count(*), 1), 10) AS runs FROM blocks) part
     CROSS JOIN LATERAL (
           SELECT count(*) AS blocked
             FROM (SELECT FROM dormouse.runs_live l WHERE l.status = 'blocked' AND l.queue = b.queue LIMIT part.runs) r) here
), cut AS MATERIALIZED (
    SELECT (SELECT count(*) FROM lanes) > 1000 AS waiting, (SELECT count(*) FROM slots) > 1000 AS running, (SELECT count(*) FROM blocks) > 1000 AS blocked
), counted AS MATERIALIZED (
    SELECT lane.queue, share.runs AS share, share.retries, here.*
      FROM lane CROSS JOIN share CROSS JOIN LATERAL (
           WITH RECURSIVE seek (task, priority, run_at) AS (
               (SELECT l.task, l.priority, l.run_at FROM dormouse.runs_live l
                 WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1)
               UNION ALL
               SELECT following.task, following.priority, following.run_at
                 FROM seek s CROSS JOIN LATERAL (
                      SELECT l.task, l.priority, l.run_at FROM dormouse.runs_live l
                       WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND (l.task, l.priority) >= (s.task, s.priority + 1)
                       ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1) following
           ), levels AS MATERIALIZED (
               SELECT s.task, s.priority, s.run_at FROM seek s LIMIT share.levels + 1
           ), level AS MATERIALIZED (
               SELECT l.task, l.priority, l.run_at FROM levels l LIMIT share.levels
           )
           SELECT (SELECT count(*) FROM levels) > share.levels AS partly,
                  (SELECT pg_catalog.min(l.run_at) FROM level l WHERE l.run_at <= now()) AS oldest_due_at,
                  (SELECT pg_catalog.min(n.run_at) FROM level l CROSS JOIN LATERAL (
                          SELECT r.run_at FROM dormouse.runs_live r
                           WHERE r.queue = lane.queue AND r.task = l.task AND r.priority = l.priority AND r.status IN ('queued', 'retry')
                             AND r.run_at > now()
                           ORDER BY r.run_at, r.id LIMIT 1) n) AS next_run_at,
                  (SELECT count(*)
                     FROM (SELECT FROM level l CROSS JOIN LATERAL (
                                  SELECT FROM dormouse.runs_live r
                                   WHERE r.queue = lane.queue AND r.task = l.task AND r.priority = l.priority AND r.status IN ('queued', 'retry')
                                     AND r.run_at > now()
                                  OFFSET 0) r  -- one level after the other
                            LIMIT share.runs) c) AS put_off,
                  (SELECT count(*)
                     FROM (SELECT FROM dormouse.runs_live r WHERE r.status = 'retry' AND r.queue = lane.queue LIMIT share.retries) c) AS retrying,
                  ready.due, ready.stuck
             FROM (SELECT count(*) AS due, count(*) FILTER (WHERE c.run_at < now() - '15 minutes'::interval) AS stuck
                     FROM (SELECT r.run_at FROM level l CROSS JOIN LATERAL (
                                  SELECT r.run_at FROM dormouse.runs_live r
                                   WHERE r.queue = lane.queue AND r.task = l.task AND r.priority = l.priority AND r.status IN ('queued', 'retry')
                                     AND r.run_at <= now()
                                  OFFSET 0) r
                            LIMIT share.runs) c) ready) here
)
SELECT queue, coalesce(c.due, 0), coalesce(c.put_off, 0), coalesce(r.running, 0), coalesce(c.retrying, 0), coalesce(b.blocked, 0),
       coalesce(c.partly OR c.due >= c.share, cut.waiting), coalesce(c.partly OR c.put_off >= c.share, cut.waiting), coalesce(r.partly, cut.running),
       coalesce(c.retrying >= c.retries, cut.waiting), coalesce(b.partly, cut.blocked),
       extract(epoch FROM c.oldest_due_at), extract(epoch FROM c.next_run_at), coalesce(c.stuck, 0), coalesce(r.ended, 0),
       cut.waiting OR cut.running OR cut.blocked
  FROM counted c FULL JOIN running r USING (queue) FULL JOIN blocked b USING (queue) CROSS JOIN cut
 ORDER BY queue
