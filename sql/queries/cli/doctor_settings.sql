-- What of the server's settings and state keeps workers from their work. Rows: grade, thing, what is wrong, what mends it.
SELECT 'failed', 'server', 'it is a standby, which takes no write', 'name all hosts in database.url, and target_session_attrs=read-write'
 WHERE pg_is_in_recovery()
UNION ALL
SELECT 'failed', 'server', 'transactions of this login are read only (default_transaction_read_only)',
       pg_catalog.format('ALTER ROLE %I SET default_transaction_read_only = off', session_user)
 WHERE NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only')::boolean
UNION ALL
SELECT 'failed', 'encoding', 'the database has the encoding ' || current_setting('server_encoding'), 'createdb -E UTF8 -T template0 NAME'
 WHERE current_setting('server_encoding') <> 'UTF8'
UNION ALL
SELECT CASE WHEN pg_notification_queue_usage() > 0.5::float8 THEN 'failed' ELSE 'warning' END, 'NOTIFY queue',
       pg_catalog.format('%s %% of it are used: a session that LISTENs does not end its transaction, and when it is full no run can be enqueued',
                         ceil(pg_notification_queue_usage() * 100::float8)),
       'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = ''idle in transaction'' ORDER BY xact_start LIMIT 1'
 WHERE pg_notification_queue_usage() > 0.1::float8
