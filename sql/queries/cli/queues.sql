-- What waits, runs and comes next, by queue: a view, indexes runs_live_claim and runs_live_lease; reads all that is live.
SELECT queue, due, put_off, running, retrying, blocked, extract(epoch FROM oldest_due_at), extract(epoch FROM next_run_at)
  FROM dormouse.queue_stats ORDER BY queue
