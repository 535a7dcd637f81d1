-- Who keeps workers awake, or from being told: of the queues $1 (a JSON array of names) who holds reliance in a transaction that has inserted, and who
-- holds the lock of those that listen alone (sql/migrations/0001_baseline/02_notify.sql). Since when is known to those who may read all of pg_stat_activity.
-- Only what has lasted for a second, where that is known: producers hold both for moments. Rows: queue, why, who, since when, what ends it.
WITH locks AS MATERIALIZED (
    SELECT l.virtualtransaction AS transaction, l.locktype, l.mode, l.pid, l.relation, l.objsubid,
           (l.classid::bigint << 32) | l.objid::bigint AS key
      FROM pg_locks l
     WHERE l.granted AND l.locktype IN ('advisory', 'relation')
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
), held AS (
    SELECT q.queue, 'an open transaction has inserted runs; workers of the queue stay awake until it ends' AS why, h.pid, h.transaction
      FROM jsonb_array_elements_text($1::jsonb) AS q (queue)
      JOIN locks h ON h.locktype = 'advisory' AND h.objsubid = 1 AND h.mode = 'ShareLock' AND h.key = hashtextextended(q.queue, 1685024367::bigint)
     WHERE EXISTS (SELECT FROM locks w JOIN pg_class c ON c.oid = w.relation JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE w.transaction = h.transaction AND w.locktype = 'relation' AND w.mode = 'RowExclusiveLock'
                      AND n.nspname = 'dormouse' AND c.relname IN ('runs', 'runs_live'))
    UNION ALL
    SELECT q.queue, 'a session keeps workers from registering; they ask every second, and each INSERT notifies', h.pid, h.transaction
      FROM jsonb_array_elements_text($1::jsonb) AS q (queue)
      JOIN locks h ON h.locktype = 'advisory' AND h.objsubid = 1 AND h.mode = 'ExclusiveLock' AND h.key = hashtextextended(q.queue, 1685024366::bigint)
)
SELECT h.queue, h.why,
       CASE WHEN h.pid IS NOT NULL THEN pg_catalog.format('%s (pid %s%s)', a.usename, h.pid, ', ' || nullif(a.application_name, ''))
            ELSE pg_catalog.format('the prepared transaction %L of %s', p.gid, p.owner) END,
       extract(epoch FROM coalesce(p.prepared, a.xact_start, a.state_change)),
       CASE WHEN h.pid IS NOT NULL THEN pg_catalog.format('SELECT pg_terminate_backend(%s)', h.pid)
            ELSE pg_catalog.format('COMMIT PREPARED %1$L, or ROLLBACK PREPARED %1$L', p.gid) END
  FROM held h
  LEFT JOIN pg_stat_activity a ON a.pid = h.pid
  -- one that is prepared has no session: its id leads from its locks to its name
  LEFT JOIN pg_locks t ON h.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid' AND t.virtualtransaction = h.transaction
  LEFT JOIN pg_prepared_xacts p ON p.transaction = t.transactionid
 WHERE coalesce(coalesce(p.prepared, a.xact_start, a.state_change) < clock_timestamp() - interval '1 s', true)
 ORDER BY h.queue, h.why, h.pid
 LIMIT 20
