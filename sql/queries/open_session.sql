-- The first statement of a session. $1 is the backend's pid as the protocol told it: if the two differ, a pooler is in between,
-- nothing is set (it would leak into other people's sessions) and the caller finds out whether LISTEN can work at all.
-- A database that somebody has made read-only by default (providers do, before a disk is full) stays so for us. A backend whose client
-- has given up on it ends, instead of waiting for a lock or a disk on behalf of nobody.
-- idle_session_timeout would kill a listener; a role's default isolation level must not reach the claim; the plans are
-- made once, often on an empty leaf, so they must not depend on what the leaf holds just then (bench/layout). The role's search path
-- stays, for other people's triggers, but cannot put its functions in the place of Postgres' own.
SELECT pg_catalog.pg_backend_pid(),
       CASE WHEN pg_catalog.pg_backend_pid() = $1::integer OR $2::boolean THEN (
            SELECT pg_catalog.count(pg_catalog.set_config(s.name, s.value, false))
              FROM (VALUES ('search_path', 'pg_catalog, ' || pg_catalog.current_setting('search_path')),
                           ('default_transaction_isolation', 'read committed'),
                           ('statement_timeout', '0'),
                           ('lock_timeout', '0'),
                           ('idle_in_transaction_session_timeout', '0'),
                           ('idle_session_timeout', '0'),
                           ('client_connection_check_interval', '5s'),
                           ('plan_cache_mode', 'force_generic_plan'),
                           ('enable_seqscan', 'off'),
                           ('enable_bitmapscan', 'off'),
                           ('jit', 'off')) AS s (name, value)
             WHERE s.name NOT IN ('idle_session_timeout', 'client_connection_check_interval')
                OR (pg_catalog.current_setting('server_version_num')::integer >= 140000
                    AND (s.name = 'idle_session_timeout' OR pg_catalog.version() LIKE '%linux%'))) END
