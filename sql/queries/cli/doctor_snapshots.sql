-- Who keeps dead rows from going away, for $1 seconds or longer: transactions, prepared ones, replication slots that nobody reads. Rows: grade, thing, what is
-- wrong, what mends it. Of others' sessions only those are told who may read all of pg_stat_activity.
(SELECT 'warning', 'old snapshot',
        pg_catalog.format('%s (pid %s%s, %s) has a transaction open for %s', a.usename, a.pid, ', ' || nullif(a.application_name, ''), a.state,
                          pg_catalog.date_trunc('second', clock_timestamp() - a.xact_start)),
        pg_catalog.format('SELECT pg_terminate_backend(%s)', a.pid)
   FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start <= clock_timestamp() - pg_catalog.make_interval(secs => $1::float8)
  ORDER BY a.xact_start LIMIT 5)
UNION ALL
(SELECT 'warning', 'old snapshot', pg_catalog.format('the prepared transaction %L of %s is there since %s', p.gid, p.owner, pg_catalog.date_trunc('second', p.prepared)),
        pg_catalog.format('COMMIT PREPARED %1$L, or ROLLBACK PREPARED %1$L', p.gid)
   FROM pg_prepared_xacts p
  WHERE p.database = current_database() AND p.prepared <= clock_timestamp() - pg_catalog.make_interval(secs => $1::float8)
  ORDER BY p.prepared LIMIT 5)
UNION ALL
(SELECT 'warning', 'replication slot', pg_catalog.format('nobody reads %s, which keeps %s', s.slot_name, CASE WHEN s.xmin IS NULL AND s.catalog_xmin IS NULL THEN 'WAL' ELSE 'WAL and dead rows' END),
        pg_catalog.format('SELECT pg_drop_replication_slot(%L)', s.slot_name)
   FROM pg_replication_slots s
  WHERE NOT s.active AND (s.database IS NULL OR s.database = current_database())
  ORDER BY s.slot_name LIMIT 5)
