-- Claims up to $2 due runs of the queues $1 (strict order) for worker $3 with a lease of $4 ms; payloads above $5 bytes of text stay.
-- Within a queue: priority, then age. Index runs_live_claim, one descent for each (queue, priority): rows that are not due
-- yet lie behind the due ones of their priority and are never walked over. Whoever is locked is skipped. Each level begins at its
-- first run, found once: in front of it lie the entries of runs that are gone, until a vacuum (bench/claims has what that costs).
-- Whoever watches one of them is told. The rows come back in no order; the caller sorts them. Plan tested in tests/postgres/plans_test.cpp.
UPDATE dormouse.runs_live r
   SET status = 'running', started_at = now(), worker = $3, fence = nextval('dormouse.fence'),
       lease_until = now() + $4::bigint * interval '1 ms', progress = NULL, progress_text = NULL
 WHERE r.ctid = ANY (ARRAY(
       SELECT due.ctid
         FROM unnest($1::text[]) AS lane (queue)
        CROSS JOIN LATERAL (
              WITH RECURSIVE level (priority, run_at) AS (
                  (SELECT l.priority, l.run_at FROM dormouse.runs_live l
                    WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry')
                    ORDER BY l.priority, l.run_at LIMIT 1)
                  UNION ALL
                  SELECT n.priority, n.run_at
                    FROM level CROSS JOIN LATERAL (
                         SELECT l.priority, l.run_at FROM dormouse.runs_live l
                          WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND l.priority > level.priority
                          ORDER BY l.priority, l.run_at LIMIT 1) n)
              SELECT d.ctid
                FROM level CROSS JOIN LATERAL (
                     SELECT c.ctid FROM dormouse.runs_live c
                      WHERE c.queue = lane.queue AND c.status IN ('queued', 'retry') AND c.priority = level.priority
                        AND c.run_at BETWEEN level.run_at AND now()
                      ORDER BY c.run_at, c.id LIMIT $2::integer
                        FOR UPDATE SKIP LOCKED) d
               LIMIT $2::integer) due
        LIMIT $2::integer))
   AND r.fence IS NULL  -- not by status: that would imply the claim index's predicate and walk all of it
RETURNING r.id, r.fence, r.queue, r.task,
          -- What is too large stays here. Stored it may be smaller than its text (compressed, to 1/256 at the very best) or larger
          -- ([1, 1, …]: 12 bytes for 3 of text); most need not be unpacked to know.
          CASE WHEN pg_column_size(r.payload)::bigint * 256 <= $5::bigint THEN r.payload
               WHEN pg_column_size(r.payload) <= $5::bigint * 4 THEN
                    CASE WHEN octet_length(r.payload::text) <= $5::bigint THEN r.payload END END,
          r.attempts, r.max_attempts, r.timeout_ms, r.traceparent, r.priority, (extract(epoch FROM r.run_at) * 1000000)::bigint, r.lost,
          CASE WHEN r.watched THEN pg_notify('dormouse:news', r.id::text) END
