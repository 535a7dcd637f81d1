-- Whether no transaction can have left a NOTIFY to the queues $1 out, of those that began to before this statement. What such transactions
-- have inserted is seen by a statement that is sent after this one. Then who is waited for, as a word that changes with them and by login;
-- and who holds the lock without being waited for, since nobody relies who may not use the schema. Prepared transactions have no session,
-- and count. Needs no schema. pg_locks is read only where a lock could not be had alone.
WITH tried AS MATERIALIZED (
    SELECT r.key, CASE WHEN pg_try_advisory_lock(r.key) THEN pg_advisory_unlock(r.key) ELSE false END AS had
      FROM (SELECT hashtextextended(q.queue, 1685024367::bigint) AS key FROM pg_catalog.unnest($1::text[]) AS q (queue)) r
), holders AS MATERIALIZED (
    SELECT l.virtualtransaction AS transaction, l.mode = 'ShareLock' AS relies, l.pid,
           (SELECT a.usesysid FROM pg_stat_get_activity(l.pid) a WHERE l.pid IS NOT NULL) AS role
      FROM pg_locks l
     WHERE EXISTS (SELECT FROM tried WHERE NOT had)
       AND l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND ((l.classid::bigint << 32) | l.objid::bigint) IN (SELECT t.key FROM tried t WHERE NOT t.had)
), judged AS (
    SELECT h.transaction, h.relies, CASE WHEN h.pid IS NULL THEN 'a prepared transaction' ELSE pg_catalog.format('%s (pid %s)', h.role::regrole, h.pid) END AS who,
           coalesce(has_schema_privilege(h.role, (SELECT oid FROM pg_namespace WHERE nspname = 'dormouse'), 'USAGE'), true) AS counts
      FROM holders h
)
SELECT count(*) FILTER (WHERE j.counts AND j.relies) = 0,
       string_agg(j.transaction, ' ' ORDER BY j.transaction) FILTER (WHERE j.counts AND j.relies),
       string_agg(DISTINCT j.who, ', ') FILTER (WHERE j.counts AND j.relies),
       string_agg(DISTINCT j.who, ', ') FILTER (WHERE NOT j.counts)
  FROM judged j
