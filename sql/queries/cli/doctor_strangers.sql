-- What others have put onto our tables, and what of ours they have switched off. Rows: grade, thing, what is wrong, what mends it.
WITH tables AS (
    SELECT c.oid, c.oid::regclass::text AS name, c.relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'dormouse' AND c.relkind IN ('r', 'p')
), triggers AS (
    SELECT t.tgname, t.tgenabled, tables.name, p.oid::regproc::text AS function, n.nspname = 'dormouse' AS ours,
           EXISTS (SELECT FROM pg_language l WHERE l.oid = p.prolang AND l.lanname IN ('c', 'internal'))
           OR EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) s (setting) WHERE s.setting ^@ 'search_path='::text) AS pinned
      FROM pg_trigger t JOIN tables ON tables.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE NOT t.tgisinternal AND t.tgparentid = 0::oid
)
SELECT 'failed', 'triggers', pg_catalog.format('%s on %s is disabled', t.tgname, t.name),
       pg_catalog.format('ALTER TABLE %s ENABLE TRIGGER %I', t.name, t.tgname)
  FROM triggers t WHERE t.ours AND t.tgenabled IN ('D', 'R')
UNION ALL
SELECT 'note', 'triggers', pg_catalog.format('%s on %s is not ours (function %s); what it refuses %s, what it costs each run pays', t.tgname, t.name, t.function,
                                             CASE WHEN t.name ~ '[.](runs|attempt_log|keys)' THEN 'fails the run' ELSE 'is not written' END),
       pg_catalog.format('DROP TRIGGER %I ON %s, if nobody needs it', t.tgname, t.name)
  FROM triggers t WHERE NOT t.ours AND t.tgenabled <> 'D'
UNION ALL
SELECT 'note', 'triggers', pg_catalog.format('function %s of %s on %s has no search_path of its own, so inside dormouse.enqueue() and the like it finds names in pg_catalog alone',
                                             t.function, t.tgname, t.name),
       pg_catalog.format('name schemas in it, or ALTER FUNCTION %s() SET search_path = …', t.function)
  FROM triggers t WHERE NOT t.ours AND NOT t.pinned AND t.tgenabled <> 'D'
UNION ALL
SELECT 'warning', 'rules', pg_catalog.format('%s on %s is not ours', r.rulename, tables.name), pg_catalog.format('DROP RULE %I ON %s', r.rulename, tables.name)
  FROM pg_rewrite r JOIN tables ON tables.oid = r.ev_class
UNION ALL
SELECT CASE WHEN row_security_active(tables.oid) THEN 'failed' ELSE 'warning' END, 'row security',
       pg_catalog.format('%s has row level security%s', tables.name,
                         CASE WHEN row_security_active(tables.oid) THEN ', so this login does not see all runs' ELSE '; whoever is not its owner may not see all runs' END),
       pg_catalog.format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', tables.name)
  FROM tables WHERE tables.relrowsecurity
