-- Whether no transaction relies on a promise to look at the queues $1: the lock of each was had alone, once. What such transactions have
-- inserted is seen by a statement that is sent after this one. Needs no schema.
SELECT coalesce(bool_and(CASE WHEN pg_try_advisory_lock(r.key) THEN pg_advisory_unlock(r.key) ELSE false END), true)
  FROM (SELECT hashtextextended(q.queue, 1685024367) AS key FROM unnest($1::text[]) AS q (queue)) r
