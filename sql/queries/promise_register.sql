-- Registers this session as one that listens to the queues $1, until it ends: nobody else can promise to look at them any more, so whoever
-- inserts into them notifies. A row for each queue; false where somebody has promised, who is told to withdraw: it is tried again
-- later. Needs no schema; the seed is that of sql/migrations/0009_reliance.sql.
SELECT tried.registered, CASE WHEN NOT tried.registered THEN pg_notify('dormouse:' || tried.queue, 'arrived') END
  FROM (SELECT q.queue, pg_try_advisory_lock_shared(hashtextextended(q.queue, 1685024366)) AS registered
          FROM unnest($1::text[]) AS q (queue) OFFSET 0) tried
