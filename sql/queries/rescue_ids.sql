-- As rescue.sql, the runs $1 and no others, as far as their leases have ended: one at a time, this finds the row that makes a statement fail. $2: our boot,
-- $3: ourselves, $4: for how many ms our host has been awake, $5: the fences that we hold.
-- Index: primary key of runs_live. Returns how many.
WITH lost AS (
    SELECT h.*
      FROM pg_catalog.unnest($1::uuid[]) AS i (id) CROSS JOIN LATERAL (
           SELECT l.ctid AS tid, l.worker, l.fence, l.started_at, l.lease_until FROM dormouse.runs_live l
            WHERE l.id = i.id AND l.lease_until < now() AND (l.worker <> $3::uuid OR l.fence NOT IN (SELECT pg_catalog.unnest($5::bigint[])))
              FOR UPDATE SKIP LOCKED) h
), back AS (
    UPDATE dormouse.runs_live r
       SET status = 'retry', run_at = now(), attempts = least(r.attempts + 1, 32767),
           lost = least(r.lost + (lost.lease_until > now() - $4::bigint::float8 * interval '1 ms'
                                  AND EXISTS (SELECT FROM dormouse.worker_registry w WHERE w.id = lost.worker AND w.boot_id = $2))::integer, 32767),
           fence = NULL, lease_until = NULL, worker = NULL, started_at = NULL,
           error = pg_catalog.jsonb_build_object('class', 'lost', 'message', 'the worker that had this run died or was cut off')
      FROM lost WHERE r.ctid = lost.tid
    RETURNING r.id, r.watched, r.progress, r.progress_text, lost.*
), over AS (  -- until it is heard of again, which is by another session: who has its session lives, and was slow
    UPDATE dormouse.worker_registry w SET state = 'left', left_at = now(), ended = 'lost'
     WHERE w.state = 'awake' AND w.id IN (SELECT worker FROM back)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity(w.session_pid) s
                        WHERE s.pid = w.session_pid AND s.usesysid = w.session_login AND coalesce(s.backend_start = w.session_started_at, true))
), logged AS (
    INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome, progress, progress_text)
    SELECT id, worker, fence, started_at, 'lost', progress, progress_text FROM back
)
SELECT count(*), pg_catalog.count(CASE WHEN watched THEN pg_notify(dormouse.channel('news'::text), dormouse.told_as(id)) END) FROM back
