-- Claims up to $2 due runs of the queues $1 for worker $3 with a lease of $4 ms: of task $6[i], which the worker knows, at most $7[i]; not the ids $8.
-- The queues strictly in this order, within one by priority, run_at, id over all of its tasks. Whoever is locked is skipped, and nobody comes back
-- empty while something is free. Runs of other tasks cost nothing, however many wait: one descent into index runs_live_claim for each
-- (queue, task, priority) that waits and is known. Which runs they are is said by dormouse.next_runs (sql/migrations/0001_baseline/12_claim.sql).
-- Payloads above $5 bytes of text stay: payload is null. Whoever watches one of the runs is told. The rows come back in no order; the caller
-- sorts them. Plans: tests/postgres/plans_test.cpp; what comes back: claim_sql_test.cpp; rejected alternatives: bench/claims/README.md.
UPDATE dormouse.runs_live r
   SET status = 'running', started_at = now(), worker = $3, fence = nextval('dormouse.fence'::regclass),
       lease_until = now() + $4::bigint::float8 * interval '1 ms', progress = NULL, progress_text = NULL
 WHERE r.ctid = ANY ((SELECT dormouse.next_runs($1, $2, $6, $7, $8, true))::tid[])
   AND r.fence IS NULL  -- not by status: that would imply the claim index's predicate and walk all of it
RETURNING r.id, r.fence, r.queue, r.task,
          -- What is too large stays here. Unpacked it may be smaller than its text (at most 32 times: check_values, 03_triggers.sql) or larger
          -- ([1, 1, ...]: 12 bytes for 3 of text). Most need not be unpacked to know, and none is written out whose unpacked size is absurd.
          CASE WHEN pg_catalog.pg_column_compression(r.payload) IS NULL AND pg_catalog.pg_column_size(r.payload)::bigint * 32 + 1000 <= $5::bigint THEN r.payload
               WHEN pg_catalog.pg_column_size(r.payload) <= $5::bigint * 4 THEN
                    CASE WHEN pg_catalog.pg_column_size(r.payload #> '{}'::text[])::bigint * 32 + 1000 <= $5::bigint THEN r.payload
                         WHEN pg_catalog.pg_column_size(r.payload #> '{}'::text[]) <= $5::bigint * 4 THEN
                              CASE WHEN octet_length(r.payload::text) <= $5::bigint THEN r.payload END END END,
          r.attempts, r.max_attempts, r.timeout_ms, r.traceparent, r.priority, r.run_at, r.lost,
          CASE WHEN r.watched THEN pg_notify(dormouse.channel('news'::text), dormouse.told_as(r.id)) END, r.started_at
