-- Promises to look at the queues $1 again: this session is registered for them no more, so whoever inserts leaves its NOTIFY out, unless
-- somebody else is registered. A row for each queue. The lock is the session's, so it is gone when the transaction fails, too.
SELECT given.queue
  FROM (SELECT q.queue, pg_advisory_unlock_shared(hashtextextended(q.queue, 1685024366::bigint)) AS back FROM pg_catalog.unnest($1::text[]) AS q (queue) OFFSET 0) given
 WHERE given.back
