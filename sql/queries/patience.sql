-- How long this round waits for a lock, $1 with its unit: less than the session does (open_session.sql) while it is looked for whom an ending is refused.
SELECT pg_catalog.set_config('lock_timeout', $1::text, true)
