-- Whether no transaction can have left a NOTIFY to the queues $1 out, of those that began to before this statement. What such transactions
-- have inserted is seen by a statement that is sent after this one. Then who is waited for, as a word that changes with them and by login;
-- and who holds the lock without being waited for: anybody can take it, but only who has inserted relies, and he locks dormouse.runs for writing
-- (before he takes this one, until the same end). Prepared transactions have no session, and count likewise. Needs no schema. pg_locks is read
-- only where a lock could not be had alone.
WITH tried AS MATERIALIZED (
    SELECT r.key, CASE WHEN pg_try_advisory_lock(r.key) THEN pg_advisory_unlock(r.key) ELSE false END AS had
      FROM (SELECT hashtextextended(q.queue, 1685024367::bigint) AS key FROM pg_catalog.unnest($1::text[]) AS q (queue)) r
), locks AS MATERIALIZED (
    SELECT l.virtualtransaction AS transaction, l.locktype, l.mode, l.pid, l.relation, l.objsubid,
           (l.classid::bigint << 32) | l.objid::bigint AS key
      FROM pg_locks l
     WHERE EXISTS (SELECT FROM tried WHERE NOT had)
       AND l.locktype IN ('advisory', 'relation') AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
), judged AS (
    SELECT h.transaction, CASE WHEN h.pid IS NULL THEN pg_catalog.format('the prepared transaction %L', (  -- its id is locked by it, and by nobody else
                                   SELECT p.gid FROM pg_locks x JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
                                    WHERE x.virtualtransaction = h.transaction AND x.locktype = 'transactionid' AND x.pid IS NULL))
                               ELSE pg_catalog.format('%s (pid %s)', (SELECT a.usesysid::regrole FROM pg_stat_get_activity(h.pid) a), h.pid) END AS who,
           h.mode = 'ShareLock' AND EXISTS (
               SELECT FROM locks w JOIN pg_class c ON c.oid = w.relation JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE w.transaction = h.transaction AND w.locktype = 'relation' AND w.mode = 'RowExclusiveLock'
                  AND n.nspname = 'dormouse' AND c.relname IN ('runs', 'runs_live')) AS counts
      FROM locks h
     WHERE h.locktype = 'advisory' AND h.objsubid = 1 AND h.key IN (SELECT t.key FROM tried t WHERE NOT t.had)
)
SELECT count(*) FILTER (WHERE j.counts) = 0,
       string_agg(j.transaction, ' ' ORDER BY j.transaction) FILTER (WHERE j.counts),
       string_agg(DISTINCT j.who, ', ') FILTER (WHERE j.counts),
       string_agg(DISTINCT j.who, ', ') FILTER (WHERE NOT j.counts)
  FROM judged j
