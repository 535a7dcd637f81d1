-- Claims up to $2 due runs of the queues $1 (strict order) for worker $3 with a lease of $4 ms; payloads above $5 bytes of text stay.
-- Within a queue: priority, then age. Index runs_live_claim, one descent for each (queue, priority): rows that are not due
-- yet lie behind the due ones of their priority and are never walked over. Whoever is locked is skipped. Each level begins at its
-- first run, found once: in front of it lie the entries of runs that are gone, until a vacuum (bench/claims has what that costs).
-- $6 to $9, one element for each known level, by priority: runs of queue $6[i] and priority $7[i] are claimed from ($8[i], $9[i]) on, and of that
-- queue none that are less urgent than the first of these but of another priority (src/worker/fronts.h). Empty: a whole look.
-- Whoever watches one of them is told. The rows come back in no order; the caller sorts them. The last two columns: when this statement began, and
-- when the row was taken; with the first row that is the time of finding them. Plan tested in tests/postgres/plans_test.cpp.
UPDATE dormouse.runs_live r
   SET status = 'running', started_at = now(), worker = $3, fence = nextval('dormouse.fence'),
       lease_until = now() + $4::bigint * interval '1 ms', progress = NULL, progress_text = NULL
 WHERE r.ctid = ANY (ARRAY(
       SELECT due.ctid
         FROM (SELECT q.queue, (SELECT coalesce(min(f.priority), 32768) FROM unnest($6::text[], $7::smallint[]) AS f (queue, priority)
                                 WHERE f.queue = q.queue) AS known_from
                 FROM unnest($1::text[]) AS q (queue)) lane
        CROSS JOIN LATERAL (
              WITH RECURSIVE level (priority, run_at, id) AS (
                  (SELECT l.priority, l.run_at, l.id FROM dormouse.runs_live l
                    WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND l.priority < lane.known_from
                    ORDER BY l.priority, l.run_at, l.id LIMIT 1)
                  UNION ALL
                  SELECT n.priority, n.run_at, n.id
                    FROM level CROSS JOIN LATERAL (
                         SELECT l.priority, l.run_at, l.id FROM dormouse.runs_live l
                          WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND l.priority > level.priority
                            AND l.priority < lane.known_from
                          ORDER BY l.priority, l.run_at, l.id LIMIT 1) n)
              SELECT d.ctid
                FROM (SELECT priority, run_at, id FROM level
                      UNION ALL
                      SELECT f.priority, f.run_at, f.id
                        FROM unnest($6::text[], $7::smallint[], $8::timestamptz[], $9::uuid[]) AS f (queue, priority, run_at, id)
                       WHERE f.queue = lane.queue) level
               CROSS JOIN LATERAL (
                     SELECT c.ctid FROM dormouse.runs_live c
                      WHERE c.queue = lane.queue AND c.status IN ('queued', 'retry') AND c.priority = level.priority
                        AND (c.run_at, c.id) >= (level.run_at, level.id) AND c.run_at <= now()
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
          r.attempts, r.max_attempts, r.timeout_ms, r.traceparent, r.priority, r.run_at, r.lost,
          CASE WHEN r.watched THEN pg_notify('dormouse:news', r.id::text) END, statement_timestamp(), clock_timestamp()
