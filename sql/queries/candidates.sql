-- The runs that claim.sql would claim next from the queues $1, in its order: at most $2, of task $3[i] at most $4[i], not the ids $5. Locks and changes
-- nothing, and reads no payload: for finding the one that makes a claim fail. Index runs_live_claim (dormouse.next_runs).
SELECT r.id, r.task
  FROM dormouse.runs_live r
 WHERE r.ctid = ANY ((SELECT dormouse.next_runs($1, $2, $3, $4, $5, false))::tid[])
 ORDER BY pg_catalog.array_position($1::text[], r.queue), r.priority, r.run_at, r.id
