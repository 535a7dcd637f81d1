-- The rules that somebody has put onto the tables of the schema, each with what removes it; null: nobody has. Asked when Postgres does not support a
-- statement, which it does not where a rule rewrites it.
SELECT pg_catalog.string_agg(pg_catalog.format('rule %I is on %s: DROP RULE %1$I ON %2$s', r.rulename, r.ev_class::regclass), '; ')
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
 WHERE c.relnamespace = 'dormouse'::regnamespace::oid AND c.relkind IN ('r', 'p')
