-- Claims the runs $1, of whatever queue and task, as far as they are due, for worker $2 with a lease of $3 ms; payloads above $4 bytes of text stay, and
-- all of them if $5 is false: for a run whose payload makes a statement fail. Locked rows are skipped. Columns as in claim.sql. Index: primary key of runs_live
-- (by a plain status the planner would take runs_live_claim, and walk all of it).
UPDATE dormouse.runs_live r
   SET status = 'running', started_at = now(), worker = $2, fence = nextval('dormouse.fence'::regclass),
       lease_until = now() + $3::bigint::float8 * interval '1 ms', progress = NULL, progress_text = NULL
 WHERE r.ctid = ANY (ARRAY(
       SELECT c.ctid
         FROM pg_catalog.unnest($1::uuid[]) AS i (id) CROSS JOIN LATERAL (
              SELECT l.ctid FROM dormouse.runs_live l
               WHERE l.id = i.id AND l.status || '' IN ('queued', 'retry') AND l.run_at <= now()
                 FOR UPDATE SKIP LOCKED) c))
   AND r.fence IS NULL
RETURNING r.id, r.fence, r.queue, r.task,
          CASE WHEN NOT $5::boolean THEN NULL
               WHEN pg_catalog.pg_column_compression(r.payload) IS NULL AND pg_catalog.pg_column_size(r.payload)::bigint * 32 + 1000 <= $4::bigint THEN r.payload
               WHEN pg_catalog.pg_column_size(r.payload) <= $4::bigint * 4 THEN
                    CASE WHEN pg_catalog.pg_column_size(r.payload #> '{}'::text[])::bigint * 32 + 1000 <= $4::bigint THEN r.payload
                         WHEN pg_catalog.pg_column_size(r.payload #> '{}'::text[]) <= $4::bigint * 4 THEN
                              CASE WHEN octet_length(r.payload::text) <= $4::bigint THEN r.payload END END END,
          r.attempts, r.max_attempts, r.timeout_ms, r.traceparent, r.priority, r.run_at, r.lost,
          CASE WHEN r.watched THEN pg_notify(dormouse.channel('news'::text), dormouse.told_as(r.id)) END, r.started_at
