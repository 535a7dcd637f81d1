-- Promises to look at the queues $1 again, where this registered session is alone: one row for each of those. The lock is the session's, so
-- it stays when the transaction fails.
SELECT tried.queue
  FROM (SELECT q.queue, pg_try_advisory_lock(hashtextextended(q.queue, 1685024366)) AS alone
          FROM unnest($1::text[]) AS q (queue) OFFSET 0) tried
 WHERE tried.alone
