-- $1 id. An id that was used again after its first run had finished: the live one.
-- What its last attempt died of is told of one that is running by its attempts alone.
-- Indexes runs_live_pkey and runs_finished_id, attempt_log_pkey.
SELECT r.id, r.task, r.queue, r.status, r.priority, r.attempts, r.max_attempts,
       extract(epoch FROM r.created_at), extract(epoch FROM r.run_at), extract(epoch FROM r.started_at),
       extract(epoch FROM r.finished_at), extract(epoch FROM r.lease_until), extract(epoch FROM clock_timestamp()),
       r.timeout_ms, r.worker, r.key, r.traceparent, r.progress, r.progress_text, r.payload, r.result,
       CASE WHEN r.status <> 'running' THEN r.error ->> 'class'::text END,
       CASE WHEN r.status <> 'running' THEN coalesce(r.error ->> 'message'::text, r.error #>> '{}'::text[]) END,
       pg_catalog.json_build_object('id', r.id, 'task', r.task, 'queue', r.queue, 'status', r.status, 'priority', r.priority,
                         'created_at', r.created_at, 'run_at', r.run_at, 'started_at', r.started_at,
                         'finished_at', r.finished_at, 'archived_at', r.archived_at, 'lease_until', r.lease_until, 'attempts', r.attempts,
                         'max_attempts', r.max_attempts, 'timeout_ms', r.timeout_ms, 'worker', r.worker, 'key', r.key,
                         'traceparent', r.traceparent, 'progress', r.progress, 'progress_text', r.progress_text,
                         'payload', r.payload, 'result', r.result, 'error', CASE WHEN r.status <> 'running' THEN r.error END,
                         'attempt_log', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                              'attempt', a.attempt, 'outcome', a.outcome, 'started_at', a.started_at, 'ended_at', a.ended_at,
                              'worker', a.worker, 'fence', a.fence, 'exit_code', a.exit_code, 'signal', a.signal,
                              'cpu_ms', a.cpu_ms, 'peak_memory_bytes', a.peak_memory_bytes, 'error', a.error,
                              'progress', a.progress, 'progress_text', a.progress_text)
                              ORDER BY a.attempt) FROM dormouse.attempts_of(r.id) a), '[]')),
       extract(epoch FROM r.archived_at)
  FROM dormouse.run($1::uuid) r
