-- Registers this session as one that listens to the queues $1, until it ends or promises: whoever inserts into them notifies from now on.
-- A row for each queue: whether it is registered; if not, who holds the lock, since only somebody who should not have it holds it for
-- longer than a moment (producers do for so long, hence the many tries). Once is enough, and a round that failed may have done it. What
-- this session inserts itself is always told, see sql/migrations/0001_baseline/02_notify.sql; the seed is the one there. Needs no schema.
WITH held AS MATERIALIZED (
    SELECT (l.classid::bigint << 32) | l.objid::bigint AS key, l.pid, l.mode
      FROM pg_locks l
     WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT tried.registered,
       CASE WHEN NOT tried.registered THEN
            (SELECT string_agg(pg_catalog.format('%s (pid %s)', (SELECT a.usesysid::regrole FROM pg_stat_get_activity(h.pid) a), h.pid), ', ')
               FROM held h WHERE h.key = tried.key AND h.mode = 'ExclusiveLock') END
  FROM (SELECT q.key, q.key IN (SELECT h.key FROM held h WHERE h.pid = pg_backend_pid() AND h.mode = 'ShareLock')
                      OR EXISTS (SELECT FROM generate_series(1, 100) WHERE pg_try_advisory_lock_shared(q.key)) AS registered
          FROM (SELECT hashtextextended(u.queue, 1685024366::bigint) AS key FROM pg_catalog.unnest($1::text[]) AS u (queue)) q
         WHERE set_config('dormouse.notify', 'always', false) <> '' OFFSET 0) tried
