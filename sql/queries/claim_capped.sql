-- claim.sql for a pool in which tasks have a concurrency of their own: of task $6[i] at most $7[i] runs are claimed, and where that is 0 its
-- runs are passed over. A file of its own, because it costs a sort for each claim, and a walk over the runs of a task that is at its limit.
-- What is picked and then left out stays locked until the commit of this round. Always a whole look, since what it passes over stays claimable.
-- Index runs_live_claim, as there.
UPDATE dormouse.runs_live r
   SET status = 'running', started_at = now(), worker = $3, fence = nextval('dormouse.fence'),
       lease_until = now() + $4::bigint * interval '1 ms', progress = NULL, progress_text = NULL
 WHERE r.ctid = ANY (ARRAY(
       SELECT due.ctid
         FROM (SELECT pick.ctid, pick.task, row_number() OVER (PARTITION BY pick.task
                                                               ORDER BY lane.place, pick.priority, pick.run_at, pick.id) AS nth
                 FROM unnest($1::text[]) WITH ORDINALITY AS lane (queue, place)
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
                      SELECT d.*
                        FROM level CROSS JOIN LATERAL (
                             SELECT c.ctid, c.task, c.priority, c.run_at, c.id FROM dormouse.runs_live c
                              WHERE c.queue = lane.queue AND c.status IN ('queued', 'retry') AND c.priority = level.priority
                                AND c.run_at BETWEEN level.run_at AND now()
                                AND c.task <> ALL (ARRAY(SELECT f.task FROM unnest($6::text[], $7::bigint[]) AS f (task, slots)
                                                          WHERE f.slots <= 0))
                              ORDER BY c.run_at, c.id LIMIT $2::integer
                                FOR UPDATE SKIP LOCKED) d
                       LIMIT $2::integer) pick) due
         LEFT JOIN unnest($6::text[], $7::bigint[]) AS room (task, slots) ON room.task = due.task
        WHERE room.slots IS NULL OR due.nth <= room.slots
        LIMIT $2::integer))
   AND r.fence IS NULL  -- not by status: that would imply the claim index's predicate and walk all of it
RETURNING r.id, r.fence, r.queue, r.task,
          -- What is too large stays here. Stored it may be smaller than its text (compressed, to 1/256 at the very best) or larger
          -- ([1, 1, …]: 12 bytes for 3 of text); most need not be unpacked to know.
          CASE WHEN pg_column_size(r.payload)::bigint * 256 <= $5::bigint THEN r.payload
               WHEN pg_column_size(r.payload) <= $5::bigint * 4 THEN
                    CASE WHEN octet_length(r.payload::text) <= $5::bigint THEN r.payload END END,
          r.attempts, r.max_attempts, r.timeout_ms, r.traceparent, r.priority, r.run_at, r.lost,
          CASE WHEN r.watched THEN pg_notify('dormouse:news', r.id::text) END
