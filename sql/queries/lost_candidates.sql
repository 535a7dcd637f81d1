-- The runs that rescue.sql would take back from the queues $1: at most $3, not the ids $2, and none that worker $4 knows that it holds ($5: the
-- fences). Changes and locks nothing. Index runs_live_lease.
SELECT h.id
  FROM pg_catalog.unnest($1::text[]) AS lane (queue) CROSS JOIN LATERAL (
       SELECT l.id FROM dormouse.runs_live l
        WHERE l.queue = lane.queue AND l.status = 'running' AND l.lease_until < now() AND l.id <> ALL ($2::uuid[])
          AND (l.worker <> $4::uuid OR l.fence NOT IN (SELECT pg_catalog.unnest($5::bigint[])))
        ORDER BY l.lease_until LIMIT $3::integer) h
 LIMIT $3::integer
