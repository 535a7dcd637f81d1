-- Whether dead rows go away: $1 from how many on they are too many. Rows: grade, thing, what is wrong, what mends it.
SELECT 'warning', 'autovacuum', pg_catalog.format('%s is off on this server', s.name), pg_catalog.format('ALTER SYSTEM SET %s = on; SELECT pg_reload_conf()', s.name)
  FROM pg_settings s WHERE s.name IN ('autovacuum', 'track_counts') AND s.setting = 'off'
UNION ALL
SELECT 'warning', 'autovacuum', pg_catalog.format('%s is left out by it', c.oid::regclass), pg_catalog.format('ALTER TABLE %s RESET (autovacuum_enabled)', c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'dormouse' AND c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.unnest(c.reloptions) o WHERE o IN ('autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0'))
UNION ALL
SELECT 'warning', 'dead rows', pg_catalog.format('%s has %s of them beside %s rows: vacuum does not come, or somebody''s snapshot keeps them', s.relid::regclass, s.n_dead_tup, s.n_live_tup),
       pg_catalog.format('VACUUM (VERBOSE) %s', s.relid::regclass)
  FROM pg_stat_all_tables s
 WHERE s.schemaname = 'dormouse' AND s.n_dead_tup >= $1::bigint AND s.n_dead_tup > s.n_live_tup
