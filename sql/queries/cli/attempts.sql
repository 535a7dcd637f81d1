-- $1 id. The attempts of one run, oldest first.
-- Indexes runs_live_pkey and runs_finished_id for the last one, attempt_log_pkey for those before.
SELECT a.attempt, a.outcome, extract(epoch FROM a.started_at), extract(epoch FROM a.ended_at - a.started_at), a.exit_code,
       a.signal, a.cpu_ms, a.peak_memory_bytes, a.worker, a.error,
       a.error ->> 'class'::text, a.progress
  FROM dormouse.attempts_of($1::uuid) a ORDER BY a.attempt
