-- Who is in the server now, besides this session and what is always there: sessions, and processes of Postgres that work. Rows: process, since when (which tells it
-- from an earlier one of that number), database, login, what it calls itself, from where, kind, what it does, its last statement's begin. Of others' sessions the
-- last five are told to those alone who may read all of pg_stat_activity.
SELECT a.pid, coalesce(a.backend_start::text, ''), coalesce(a.datname::text, ''), coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
       coalesce(pg_catalog.host(a.client_addr), ''), coalesce(a.backend_type, ''), coalesce(a.state, ''), coalesce(a.query_start::text, '')
  FROM pg_stat_activity a
 WHERE a.pid <> pg_backend_pid()
   AND coalesce(a.backend_type, '') NOT IN ('autovacuum launcher', 'logical replication launcher', 'background writer', 'checkpointer', 'walwriter', 'walreceiver',
                                            'startup', 'archiver', 'walsummarizer', 'slotsync worker', 'io worker', 'parallel worker', 'logger', 'syslogger')
   AND (a.backend_type IS NOT NULL OR a.usename IS NOT NULL)
 ORDER BY a.pid
