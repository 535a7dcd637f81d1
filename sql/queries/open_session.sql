-- The first statement of a session. $1 is the backend's pid as the protocol told it, or as postgres/pooler_check.h found it: if it is another one,
-- a pooler is in between, nothing is set (it would leak into other people's sessions) and the caller finds out whether LISTEN can work at all.
-- A database that somebody has made read-only by default (providers do, before a disk is full) stays so for us. A backend whose client
-- has given up on it ends, instead of waiting for a lock or a disk on behalf of nobody.
-- Row level security that would hide runs is an error, not an empty queue. `dormouse.session` tells the triggers whose session it is: what a worker
-- moves is not taken away from anybody (03_triggers.sql).
-- idle_session_timeout would kill a listener; a role's default isolation level must not reach the claim; the plans are
-- made once, often on an empty leaf, so they must not depend on what the leaf holds just then (bench/layout); other people's triggers find what was set
-- before (15_settings.sql). The role's search path
-- stays, for other people's triggers, behind pg_catalog. What fits better is found there all the same, so our statements have the very types of the
-- functions and operators that they mean, and name the schema of functions that take any type (tests/postgres/names_test.cpp).
-- No statement of ours waits for long for a lock that somebody holds: the round is undone and sent again, past that row (finish.sql).
-- One expression and no list of settings to select from: a backend that has just started has planned nothing, and looks up all it meets (0.8 ms instead of 1.4).
SELECT pg_catalog.pg_backend_pid(),
       CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $1::integer THEN ARRAY[
            pg_catalog.set_config('search_path', 'pg_catalog, ' OPERATOR(pg_catalog.||) pg_catalog.current_setting('search_path'), false),
            pg_catalog.set_config('dormouse.session', 'worker', false),
            pg_catalog.set_config('dormouse.theirs',
                pg_catalog.current_setting('plan_cache_mode') OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||)
                pg_catalog.current_setting('enable_seqscan') OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||)
                pg_catalog.current_setting('enable_bitmapscan') OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||)
                pg_catalog.current_setting('jit'), false),
            pg_catalog.set_config('row_security', 'off', false),
            pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
            pg_catalog.set_config('statement_timeout', '0', false),
            pg_catalog.set_config('lock_timeout', '500ms', false),
            pg_catalog.set_config('idle_in_transaction_session_timeout', '0', false),
            pg_catalog.set_config('idle_session_timeout', '0', false),
            CASE WHEN pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0
                 THEN pg_catalog.set_config('client_connection_check_interval', '5s', false) END,
            pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false),
            pg_catalog.set_config('enable_seqscan', 'off', false),
            pg_catalog.set_config('enable_bitmapscan', 'off', false),
            pg_catalog.set_config('jit', 'off', false)] END
