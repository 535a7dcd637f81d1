-- What people look at. None of them counts what has finished.

CREATE VIEW dormouse.attempts AS
    SELECT a.run_id, row_number() OVER (PARTITION BY a.run_id ORDER BY a.started_at, a.fence) AS attempt, a.worker, a.fence,
           a.started_at, a.ended_at, a.outcome, a.exit_code, a.signal, a.cpu_ms, a.peak_memory_bytes, a.error,
           a.progress, a.progress_text
      FROM (SELECT run_id, worker, fence, started_at, ended_at, outcome, exit_code, signal, cpu_ms, peak_memory_bytes, error,
                   progress, progress_text
              FROM dormouse.attempt_log
            UNION ALL
            SELECT id, worker, last_fence, started_at, finished_at, status, exit_code, signal, cpu_ms, peak_memory_bytes, error,
                   progress, progress_text
              FROM dormouse.runs
             WHERE status IN ('completed', 'failed', 'canceled') AND started_at IS NOT NULL AND last_fence IS NOT NULL
            UNION ALL
            SELECT id, worker, fence, started_at, NULL, 'running', NULL, NULL, NULL, NULL, NULL, progress, progress_text
              FROM dormouse.runs
             WHERE status = 'running') a;
COMMENT ON VIEW dormouse.attempts IS 'Every claim of every run, and its outcome. A claim that was handed_back used no attempt.';

CREATE VIEW dormouse.queue_stats AS
    SELECT queue,
           count(*) FILTER (WHERE status IN ('queued', 'retry') AND run_at <= now()) AS due,
           count(*) FILTER (WHERE status IN ('queued', 'retry') AND run_at > now())  AS put_off,
           count(*) FILTER (WHERE status = 'running')                                AS running,
           count(*) FILTER (WHERE status = 'retry')                                  AS retrying,
           count(*) FILTER (WHERE status = 'blocked')                                AS blocked,
           min(run_at) FILTER (WHERE status IN ('queued', 'retry') AND run_at <= now()) AS oldest_due_at,
           min(run_at) FILTER (WHERE status IN ('queued', 'retry') AND run_at > now())  AS next_run_at
      FROM dormouse.runs
     WHERE status IN ('queued', 'running', 'retry', 'blocked')
     GROUP BY queue;
COMMENT ON VIEW dormouse.queue_stats IS 'The unfinished runs of each queue.';

CREATE VIEW dormouse.stuck_runs AS
    SELECT id, queue, task, status, run_at, started_at, worker, lease_until,
           CASE WHEN status = 'running' THEN 'its lease ended and nobody has taken it back'
                ELSE 'due for 15 minutes and nobody has claimed it' END AS reason
      FROM dormouse.runs
     WHERE (status = 'running' AND lease_until < now())
        OR (status IN ('queued', 'retry') AND run_at < now() - interval '15 minutes');
COMMENT ON VIEW dormouse.stuck_runs IS 'Empty when all is well.';

CREATE VIEW dormouse.logs AS
    SELECT b.run_id, a.attempt, (b.first_line + l.n - 1)::integer AS line, to_timestamp((l.said ->> 0)::bigint / 1000.0) AS said_at,
           l.said ->> 1 AS level, l.said ->> 2 AS text, b.worker, b.fence
      FROM dormouse.run_logs b
      LEFT JOIN dormouse.attempts a ON a.run_id = b.run_id AND a.fence = b.fence AND a.worker = b.worker
     CROSS JOIN LATERAL json_array_elements(b.lines) WITH ORDINALITY l (said, n);
COMMENT ON VIEW dormouse.logs IS 'The log lines of handlers; times are by their worker''s clock. Filter by run_id; order by attempt, line.';
