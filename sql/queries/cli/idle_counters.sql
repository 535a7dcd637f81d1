-- What the server counts, sessions that came and went between two looks included. One row: sessions and transactions of this database, sessions of all others;
-- the schema of pg_stat_statements, where it can be read here; whether this login is told of everybody's sessions.
SELECT coalesce(pg_catalog.sum(d.sessions) FILTER (WHERE d.datname = current_database()), 0)::bigint,
       coalesce(pg_catalog.sum(d.xact_commit + d.xact_rollback) FILTER (WHERE d.datname = current_database()), 0)::bigint,
       coalesce(pg_catalog.sum(d.sessions) FILTER (WHERE d.datname <> current_database()), 0)::bigint,
       (SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'),
       pg_catalog.pg_has_role(session_user, 'pg_read_all_stats', 'USAGE')
  FROM pg_stat_database d
