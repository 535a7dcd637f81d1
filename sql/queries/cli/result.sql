-- $1 id. How a run stands, also for a role that may only enqueue.
-- Indexes runs_live_pkey and runs_finished_id.
SELECT status, result, error, attempts FROM dormouse.result($1::uuid)
