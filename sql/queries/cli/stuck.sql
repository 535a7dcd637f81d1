-- The 20 that wait longest, with the number of all of them.
-- A view: reads all that is live.
SELECT id, queue, task, status, reason, extract(epoch FROM coalesce(started_at, run_at)), count(*) OVER ()
  FROM dormouse.stuck_runs ORDER BY run_at LIMIT 20
