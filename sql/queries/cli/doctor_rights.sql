-- Who this login is to dormouse. Rows: grade, thing, what is so or wrong, what mends it.
WITH me AS (SELECT r.* FROM pg_roles r WHERE r.rolname = session_user),
ours AS (
    SELECT r.rolname FROM pg_roles r
     WHERE r.rolname IN ('dormouse_producer', 'dormouse_worker', 'dormouse_operator', 'dormouse_reader') AND pg_catalog.pg_has_role(session_user, r.oid, 'USAGE')
), may AS (
    SELECT has_table_privilege('dormouse.runs_live', 'INSERT, UPDATE') AND has_table_privilege('dormouse.runs_live', 'DELETE')
           AND has_table_privilege('dormouse.worker_registry', 'INSERT') AND has_sequence_privilege('dormouse.fence', 'USAGE') AS works
)
SELECT 'failed', 'login', pg_catalog.format('%I may not do what a worker does', session_user), pg_catalog.format('GRANT dormouse_worker TO %I', session_user)
  FROM may WHERE NOT may.works
UNION ALL
SELECT 'note', 'login', pg_catalog.format('%I is a superuser; a worker needs dormouse_worker alone', session_user),
       'sudo dormouse setup makes a login for the pool'
  FROM me WHERE me.rolsuper
UNION ALL
SELECT 'ok', 'login', pg_catalog.format('%I has %s', session_user,
                                        coalesce((SELECT pg_catalog.string_agg(o.rolname::text, ', ' ORDER BY o.rolname) FROM ours o), 'the rights of an owner')), ''
  FROM me, may WHERE may.works AND NOT me.rolsuper
UNION ALL
SELECT 'warning', 'roles', pg_catalog.format('%s %s; it is there to be granted', r.rolname,
                                             pg_catalog.concat_ws(', ', CASE WHEN r.rolsuper THEN 'is a superuser' END, CASE WHEN r.rolcreaterole THEN 'may make roles' END,
                                                       CASE WHEN r.rolbypassrls THEN 'passes row security by' END, CASE WHEN r.rolcanlogin THEN 'can log in' END)),
       pg_catalog.format('ALTER ROLE %s NOLOGIN NOSUPERUSER NOCREATEROLE NOBYPASSRLS', r.rolname)
  FROM pg_roles r
 WHERE r.rolname IN ('dormouse_producer', 'dormouse_worker', 'dormouse_operator', 'dormouse_reader') AND (r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolcanlogin)
UNION ALL
(SELECT 'failed', 'roles', pg_catalog.format('table dormouse.%I belongs to %I, and the schema''s tables to %I: retention and operations are refused there',
                                             c.relname, pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.pg_get_userbyid(r.relowner)),
        pg_catalog.format('ALTER TABLE dormouse.%I OWNER TO %I', c.relname, pg_catalog.pg_get_userbyid(r.relowner))
   FROM pg_class r JOIN pg_class c ON c.relnamespace = r.relnamespace AND c.relkind IN ('r', 'p') AND c.relowner <> r.relowner
   JOIN pg_namespace n ON n.oid = r.relnamespace AND n.nspname = 'dormouse'
  WHERE r.relname = 'runs' ORDER BY c.relname LIMIT 5)
UNION ALL
SELECT 'note', 'roles', pg_catalog.format('everybody may connect to database %I, so whoever has a role of dormouse elsewhere on this server has it here too', d.datname),
       pg_catalog.format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC, and GRANT CONNECT to each login that needs it', d.datname)
  FROM pg_database d WHERE d.datname = current_database() AND pg_catalog.has_database_privilege('public'::name, d.oid, 'CONNECT'::text)
UNION ALL
SELECT 'note', 'login', 'it is not told whose sessions hold things, when they are not its own', pg_catalog.format('GRANT pg_read_all_stats TO %I', session_user)
 WHERE NOT pg_catalog.pg_has_role(session_user, 'pg_read_all_stats', 'USAGE')
