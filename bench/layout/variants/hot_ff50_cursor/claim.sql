UPDATE dormouse.runs_live r
   SET status = 'running', started_at = now(), worker = $3, fence = nextval('dormouse.fence'),
       lease_until = now() + $4::bigint * interval '1 ms'
 WHERE r.ctid = ANY (ARRAY(
       SELECT due.ctid
         FROM (SELECT queue, coalesce(priority, -32768) AS priority,
                      coalesce('epoch'::timestamptz + run_at * interval '1 us', '-infinity') AS run_at,
                      coalesce(id, '00000000-0000-0000-0000-000000000000') AS id
                 FROM unnest($1::text[], $6::smallint[], $7::bigint[], $8::uuid[]) AS l (queue, priority, run_at, id)
               OFFSET 0) lane
        CROSS JOIN LATERAL (
              WITH RECURSIVE level (priority) AS (
                  (SELECT l.priority FROM dormouse.runs_live l
                    WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry')
                      AND (l.priority, l.run_at, l.id) >= (lane.priority, lane.run_at, lane.id)
                    ORDER BY l.priority, l.run_at, l.id LIMIT 1)
                  UNION ALL
                  SELECT (SELECT l.priority FROM dormouse.runs_live l
                           WHERE l.queue = lane.queue AND l.status IN ('queued', 'retry') AND l.priority > level.priority
                           ORDER BY l.priority LIMIT 1)
                    FROM level WHERE level.priority IS NOT NULL)
              SELECT d.ctid
                FROM level CROSS JOIN LATERAL (
                     SELECT c.ctid FROM dormouse.runs_live c
                      WHERE c.queue = lane.queue AND c.status IN ('queued', 'retry') AND c.priority = level.priority
                        AND c.run_at <= now()
                        AND (c.run_at, c.id) >= (CASE level.priority WHEN lane.priority THEN lane.run_at ELSE '-infinity' END, lane.id)
                      ORDER BY c.run_at, c.id LIMIT $2::integer
                        FOR UPDATE SKIP LOCKED) d
               LIMIT $2::integer) due
        LIMIT $2::integer))
   AND r.status IN ('queued', 'retry')
RETURNING r.id, r.fence, r.queue, r.task, CASE WHEN pg_column_size(r.payload) <= $5::bigint THEN r.payload END, r.attempts,
          r.max_attempts, r.timeout_ms, r.traceparent, r.priority, (extract(epoch FROM r.run_at) * 1000000)::bigint
