-- Gives back what this session has promised for the queues $1, if it has; it stays registered.
SELECT count(*) FILTER (WHERE pg_advisory_unlock(held.key))
  FROM (SELECT p.key FROM (SELECT hashtextextended(q.queue, 1685024366) AS key FROM unnest($1::text[]) AS q (queue)) p
         WHERE EXISTS (SELECT FROM pg_locks l
                        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.pid = pg_backend_pid() AND l.mode = 'ExclusiveLock'
                          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                          AND ((l.classid::bigint << 32) | l.objid::bigint) = p.key) OFFSET 0) held
