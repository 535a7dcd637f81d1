-- Who holds up others at our tables: sessions that others have waited for since a second, directly or behind somebody who waits himself, and transactions that
-- may hold rows of waiting and running runs for $1 seconds or longer, which nobody waits for: workers pass such rows over. Prepared transactions have no
-- session; their id leads from their locks to their name. Rows: grade, thing, what is wrong, what mends it. How long others' transactions are open is told only
-- to those who may read all of pg_stat_activity: to others each SELECT ... FOR UPDATE is a note.
WITH RECURSIVE locks AS MATERIALIZED (
    SELECT l.pid, l.granted, l.mode, l.waitstart, c.relname
      FROM pg_locks l
      LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'dormouse')
             ON c.oid = l.relation AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
     WHERE l.pid <> pg_backend_pid()
), waiting AS MATERIALIZED (
    SELECT w.pid, w.waitstart, b.pid AS behind
      FROM locks w CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
     WHERE NOT w.granted AND w.waitstart <= clock_timestamp() - interval '1 s'
       AND EXISTS (SELECT FROM locks o WHERE o.pid = w.pid AND o.relname IS NOT NULL)
), prepared AS MATERIALIZED (
    SELECT p.gid, p.owner, p.prepared, bool_or(c.relname = 'runs_live' AND l.mode IN ('RowShareLock', 'RowExclusiveLock')) AS rows
      FROM pg_prepared_xacts p
      JOIN pg_locks t ON t.locktype = 'transactionid' AND t.pid IS NULL AND t.transactionid = p.transaction
      JOIN pg_locks l ON l.pid IS NULL AND l.virtualtransaction = t.virtualtransaction
      JOIN pg_class c ON c.oid = l.relation
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'dormouse'
     WHERE p.database = current_database()
     GROUP BY p.gid, p.owner, p.prepared
), chain AS (
    SELECT w.pid, w.waitstart, w.behind FROM waiting w
    UNION
    SELECT c.pid, c.waitstart, w.behind FROM chain c JOIN waiting w ON w.pid = c.behind
)
(SELECT 'warning', 'lock',
        pg_catalog.format('%s holds up %s of dormouse''s tables, the first for %s',
                          CASE WHEN c.behind = 0 THEN 'a prepared transaction (pg_prepared_xacts)'
                               ELSE pg_catalog.format('%s (pid %s%s%s)', a.usename, c.behind, ', '::text || nullif(a.application_name, ''::text), ', '::text || a.state) END,
                          CASE pg_catalog.count(DISTINCT c.pid) WHEN 1 THEN '1 session' ELSE pg_catalog.format('%s sessions', pg_catalog.count(DISTINCT c.pid)) END,
                          pg_catalog.date_trunc('second', clock_timestamp() - pg_catalog.min(c.waitstart))),
        CASE WHEN c.behind = 0 THEN 'COMMIT PREPARED or ROLLBACK PREPARED, with its gid'::text
                                    || (SELECT ': '::text || pg_catalog.string_agg(pg_catalog.quote_literal(p.gid::text), ' or '::text ORDER BY p.prepared) FROM prepared p)
             ELSE pg_catalog.format('SELECT pg_terminate_backend(%s)', c.behind) END
   FROM chain c LEFT JOIN pg_stat_activity a ON a.pid = c.behind
  WHERE c.behind NOT IN (SELECT w.pid FROM waiting w)
  GROUP BY c.behind, a.usename, a.application_name, a.state
  ORDER BY pg_catalog.count(DISTINCT c.pid) DESC, c.behind LIMIT 5)
UNION ALL
(SELECT CASE WHEN a.state IS NULL THEN 'note' ELSE 'warning' END, 'lock',
        pg_catalog.format('%s (pid %s%s%s) may hold rows of dormouse.runs%s; workers cannot claim, extend or end these runs', a.usename, a.pid,
                          ', '::text || nullif(a.application_name, ''::text), ', '::text || a.state,
                          coalesce(' for '::text || pg_catalog.date_trunc('second', clock_timestamp() - a.xact_start)::text, ', for how long is not told')),
        pg_catalog.format('SELECT pg_terminate_backend(%s)', a.pid)
   FROM pg_stat_activity a JOIN locks l ON l.pid = a.pid AND l.granted AND l.relname = 'runs_live'
  WHERE a.datname = current_database()
    AND (a.xact_start <= clock_timestamp() - pg_catalog.make_interval(secs => $1::float8) AND l.mode IN ('RowShareLock', 'RowExclusiveLock')
         OR a.state IS NULL AND l.mode = 'RowShareLock')  -- which producers take for no moment
  GROUP BY a.pid, a.usename, a.application_name, a.state, a.xact_start
  ORDER BY a.xact_start LIMIT 5)
UNION ALL
(SELECT 'warning', 'lock',
        pg_catalog.format('the prepared transaction %L of %s may hold rows of dormouse.runs since %s; workers cannot claim, extend or end these runs', p.gid, p.owner,
                          pg_catalog.date_trunc('second', p.prepared)),
        pg_catalog.format('COMMIT PREPARED %1$L, or ROLLBACK PREPARED %1$L', p.gid)
   FROM prepared p
  WHERE p.rows AND p.prepared <= clock_timestamp() - pg_catalog.make_interval(secs => $1::float8)
  ORDER BY p.prepared LIMIT 5)
