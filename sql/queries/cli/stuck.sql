-- The 20 that wait longest, of those in the queues $1 (a JSON array of names) that have been due for 15 minutes or run although their lease has ended; $2 at most
-- so many pairs of task and priority of each queue. The longest are among the first of the 20 pairs whose first is the oldest. Index runs_live_claim, one
-- descent for each (queue, task, priority), and runs_live_lease, one for each queue.
WITH lane AS MATERIALIZED (
    SELECT q.queue FROM jsonb_array_elements_text($1::jsonb) AS q (queue)
), level AS MATERIALIZED (
    SELECT lane.queue, here.task, here.priority
      FROM lane CROSS JOIN LATERAL (
           WITH RECURSIVE seek (task, priority, run_at) AS (
               (SELECT l.task, l.priority, l.run_at FROM dormouse.runs_live l
                 WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1)
               UNION ALL
               SELECT following.task, following.priority, following.run_at
                 FROM seek s CROSS JOIN LATERAL (
                      SELECT l.task, l.priority, l.run_at FROM dormouse.runs_live l
                       WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND (l.task, l.priority) >= (s.task, s.priority + 1)
                       ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1) following
           )
           SELECT s.task, s.priority, s.run_at FROM seek s LIMIT $2::bigint) here
     WHERE here.run_at < now() - '15 minutes'::interval
     ORDER BY here.run_at LIMIT 20
), found (id, queue, task, status, run_at, since, reason) AS (
    SELECT waits.id, level.queue, level.task, waits.status, waits.run_at, waits.run_at, 'due for 15 minutes and nobody has claimed it'
      FROM level CROSS JOIN LATERAL (
           SELECT r.id, r.status, r.run_at FROM dormouse.runs_live r
            WHERE r.queue = level.queue AND r.task = level.task AND r.priority = level.priority AND r.status IN ('queued', 'retry')
              AND r.run_at < now() - '15 minutes'::interval
            ORDER BY r.run_at, r.id LIMIT 20) waits
    UNION ALL
    SELECT ended.id, lane.queue, ended.task, 'running', ended.run_at, ended.started_at, 'its lease ended and nobody has taken it back'
      FROM lane CROSS JOIN LATERAL (
           SELECT r.id, r.task, r.run_at, r.started_at FROM dormouse.runs_live r
            WHERE r.queue = lane.queue AND r.status = 'running' AND r.lease_until < now()
            ORDER BY r.lease_until LIMIT 20) ended
)
SELECT f.id, f.queue, f.task, f.status, f.reason, extract(epoch FROM f.since) FROM found f ORDER BY f.run_at, f.id LIMIT 20
