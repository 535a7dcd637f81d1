-- The login, and whether it may do what a worker does, for `dormouse worker --check`. Needs the schema.
SELECT session_user::text,
       pg_catalog.has_schema_privilege('dormouse'::text, 'USAGE'::text) AND coalesce((
           SELECT pg_catalog.has_table_privilege(l.oid, 'INSERT, UPDATE'::text) AND pg_catalog.has_table_privilege(l.oid, 'DELETE'::text)
             FROM pg_catalog.pg_class l JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) l.relnamespace
            WHERE n.nspname OPERATOR(pg_catalog.=) 'dormouse'::name AND l.relname OPERATOR(pg_catalog.=) 'runs_live'::name), false)
