-- $1 id. How a run stands, for whoever follows it.
-- Indexes runs_live_pkey and runs_finished_id, attempt_log_pkey.
SELECT r.status, r.task, (SELECT count(*) FROM dormouse.attempts_of(r.id) a), r.progress, r.progress_text,
       extract(epoch FROM r.run_at), extract(epoch FROM clock_timestamp()), r.result, r.error
  FROM dormouse.run($1::uuid) r
