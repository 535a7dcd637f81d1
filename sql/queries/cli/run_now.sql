-- $1 id. How a run stands, for whoever follows it.
-- Indexes runs_live_pkey and runs_finished_id, attempt_log_pkey.
SELECT r.status, r.task, (SELECT count(*) FROM dormouse.attempts a WHERE a.run_id = r.id), r.progress, r.progress_text,
       extract(epoch FROM r.run_at), extract(epoch FROM clock_timestamp()), r.result, r.error,
       coalesce(r.error ->> 'message'::text, r.error #>> '{}'::text[])
  FROM dormouse.runs r WHERE r.id = $1::uuid
 ORDER BY r.finished_at DESC NULLS FIRST LIMIT 1
