-- A database as it is after a while, made inside the server. Variables of psql: live, finished, days, workers. Once before that: cost.sql.
-- A tenth of what finished has failed, all with one error, half of it within the last day; a tenth has a key; none was canceled.
SET session_replication_role = replica; -- rows as the triggers would have left them, without paying for each
SET synchronous_commit = off;
SELECT set_config('bench.' || name, value, false)
  FROM (VALUES ('live', :'live'), ('finished', :'finished'), ('days', :'days'), ('workers', :'workers')) v (name, value) \g /dev/null

SELECT bench.make_partitions('dormouse.runs_finished', 'finished_at', CASE WHEN :days <= 100 THEN 'day' ELSE 'week' END, :days),
       bench.make_partitions('dormouse.attempt_log', 'ended_at', CASE WHEN :days <= 100 THEN 'week' ELSE 'month' END, :days),
       bench.make_partitions('dormouse.run_logs', 'written_at', CASE WHEN :days <= 100 THEN 'week' ELSE 'month' END, :days) \g /dev/null

-- Finished ones, evenly over the days, the newest first; a thousandth are strays: their ids are three days older.
INSERT INTO dormouse.runs_finished (id, queue, task, status, priority, payload, run_at, attempts, created_at, key, started_at, finished_at, worker, last_fence,
                                    result, error)
SELECT bench.id_at(f.at - CASE n % 1000 WHEN 7 THEN interval '3 days' ELSE interval '10 s' END), 'q' || n % 200, 't' || n % 50,
       CASE n % 10 WHEN 0 THEN 'failed' ELSE 'completed' END, n % 20 - 10, '{"image": "album/1.jpeg", "width": 1024}', f.at - interval '10 s', 1,
       f.at - CASE n % 1000 WHEN 7 THEN interval '3 days' ELSE interval '10 s' END, CASE n % 10 WHEN 1 THEN 'order-' || n END, f.at - interval '5 s', f.at,
       bench.worker(n % 100), n, CASE n % 10 WHEN 0 THEN NULL ELSE '{"ok": true}'::jsonb END,
       CASE n % 10 WHEN 0 THEN '{"class": "HTTPError", "message": "503 from https://mail.example/send"}'::jsonb END
  FROM generate_series(1, :finished) n
 CROSS JOIN LATERAL (SELECT now() - interval '1 s' - n::float8 / :finished * CASE n % 20 WHEN 0 THEN 0.8 ELSE :days END * interval '1 day') f (at);
INSERT INTO dormouse.strays (id, finished_at)
SELECT f.id, f.finished_at FROM dormouse.runs_finished f WHERE f.created_at < f.finished_at - interval '2 days';
INSERT INTO dormouse.keys (task, key, run_id, created_at)
SELECT f.task, f.key, f.id, f.created_at FROM dormouse.runs_finished f WHERE f.key IS NOT NULL;
INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, ended_at, outcome)
SELECT f.id, f.worker, f.last_fence - 1, f.started_at - interval '3 s', f.started_at - interval '1 s', 'retry'
  FROM dormouse.runs_finished f WHERE f.status = 'failed';
INSERT INTO dormouse.endings (since, session, task, completed, failed)
SELECT date_trunc('hour', now()) - h * interval '1 hour', 0, 't' || t, :finished / (:days * 24 * 50), 1 FROM generate_series(0, 24) h, generate_series(0, 49) t
UNION ALL
SELECT date_trunc('hour', now()) + s * interval '10 s', 1000 + s % 4, 't' || t, 7, 1 FROM generate_series(1, 100) s, generate_series(0, 49) t;

-- Live ones: 200 queues with a task and 20 priorities each; half of them not due, a hundredth waits for another attempt, 1,000 at most are running.
INSERT INTO dormouse.runs_live (id, queue, task, priority, payload, run_at, created_at, status, attempts, error, started_at, worker, fence, lease_until)
SELECT bench.id_at(now() - n * interval '1 ms'), 'q' || n % 200, 't' || n % 50, n / 200 % 20 - 10, '{"image": "album/1.jpeg", "width": 1024}',
       now() + (n % 2000 - 1000) * interval '1 s', now() - n * interval '1 ms', l.status, (l.status <> 'queued')::int,
       CASE l.status WHEN 'retry' THEN '{"class": "HTTPError", "message": "503 from https://mail.example/send"}'::jsonb END,
       CASE l.status WHEN 'running' THEN now() END, CASE l.status WHEN 'running' THEN bench.worker(n % 100) END, CASE l.status WHEN 'running' THEN n END,
       CASE l.status WHEN 'running' THEN now() + interval '5 min' END
  FROM generate_series(1, :live) n
 CROSS JOIN LATERAL (SELECT CASE WHEN n <= least(1000, :live / 100) THEN 'running' WHEN n % 100 = 50 THEN 'retry' ELSE 'queued' END) l (status);

-- Workers that were here once, most of them a while ago; of a hundred the row says that they are.
INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, concurrency, state, started_at, left_at, ended, seen_at)
SELECT bench.worker(n), 'pool' || n % 300, ARRAY['q' || n % 200], 'host' || n % 10, n, n, bench.worker(n % 10), '1.0', 8,
       CASE WHEN n < 100 THEN 'awake' ELSE 'left' END, now() - n * interval '15 s' - interval '1 hour',
       CASE WHEN n >= 100 THEN now() - n * interval '15 s' END, CASE WHEN n >= 100 THEN 'left' END, now() - n * interval '15 s'
  FROM generate_series(0, :workers - 1) n;
RESET session_replication_role;
VACUUM (ANALYZE);

-- Whom to ask for: {old}, which finished on the first of the days, at {old_at}, {failed}, likewise, {waiting}. Ten of each.
WITH of_the_first AS (
    SELECT f.status, f.id, f.finished_at, row_number() OVER (PARTITION BY f.status) AS n FROM dormouse.runs_finished f
     WHERE f.finished_at < now() - (:days - 0.1) * interval '1 day' AND f.key IS NULL AND f.created_at > f.finished_at - interval '1 day'
)
INSERT INTO bench.one (kind, n, what)
SELECT 'old', f.n, f.id::text FROM of_the_first f WHERE f.status = 'completed' AND f.n <= 10
UNION ALL
SELECT 'old_at', f.n, f.finished_at::text FROM of_the_first f WHERE f.status = 'completed' AND f.n <= 10
UNION ALL
SELECT 'failed', f.n, f.id::text FROM of_the_first f WHERE f.status = 'failed' AND f.n <= 10
UNION ALL
SELECT 'waiting', row_number() OVER (), l.id::text FROM (SELECT id FROM dormouse.runs_live WHERE status = 'queued' LIMIT 10) l;
