-- A queue that is full of a task which a claim passes over, and 1,000 of another one behind them. Variable: live.
SET session_replication_role = replica;
SET synchronous_commit = off;
TRUNCATE dormouse.runs_live;
INSERT INTO dormouse.runs_live (id, queue, task, run_at)
SELECT dormouse.new_id(), 'walk', 'slow', now() - interval '1 day' + n * interval '1 ms' FROM generate_series(1, :live) n;
INSERT INTO dormouse.runs_live (id, queue, task, run_at)
SELECT dormouse.new_id(), 'walk', 'thumbnail', now() - interval '1 hour' FROM generate_series(1, 1000) n;
RESET session_replication_role;
VACUUM (ANALYZE) dormouse.runs_live;
