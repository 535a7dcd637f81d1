-- Who lives, who does not, and what becomes of those that do not; and how many runs a pool executes at once for a while.

-- Which pools are scaled just now. Whoever asks, asks here: what is over counts for nothing, and neither does what dormouse.scale() would have refused.
CREATE VIEW dormouse.scaled AS
    SELECT s.pool, s.concurrency, s.until, s.set_by, s.set_at, s.reason
      FROM dormouse.pool_scale s
     WHERE s.concurrency BETWEEN 1 AND 10000 AND s.until > now() AND s.until <= now() + interval '8 days';
COMMENT ON VIEW dormouse.scaled IS 'The pools whose number of runs at once was changed by dormouse scale, by whom, and until when.';

-- Alive is who has a session here, as everybody may see in pg_stat_activity: its pid and login, and where one may know it, when it began. Who closes
-- its session on purpose rests until it said that it would be heard of again; a server that suspends has ended the session itself, and was started
-- anew. Everybody else is dead as far as the database can tell: what it held goes back when its leases end. It may be cut off and come back; its row
-- then names another session. Abandoned is who has let a lease end and stay ended for as long as it was given, at most an hour, session or not. Whether a
-- process is there can only be seen on its host: `dormouse workers` and `dormouse reap` there. A standby sees no session of its primary.
CREATE VIEW dormouse.workers AS
    SELECT w.id, w.pool, w.queues, w.unit, w.host, w.pid, w.pid_start, w.boot_id, w.instance_id, w.version,
           CASE WHEN c.condition NOT IN ('live', 'idle') OR w.run_id IS NOT NULL OR w.concurrency IS NULL OR f.scaled IS NULL THEN w.concurrency
                ELSE least(f.scaled, w.concurrency_max) END AS concurrency, w.state, w.started_at,
           w.left_at, coalesce(h.runs, 0) AS runs, h.lease_until, c.condition,
           CASE c.condition
                WHEN 'left' THEN CASE w.state WHEN 'left' THEN coalesce(w.ended, 'left') ELSE 'rested' END
                WHEN 'dead' THEN CASE WHEN h.abandoned THEN 'abandoned' WHEN w.state = 'left' THEN coalesce(w.ended, 'left') ELSE 'session lost' END
           END AS ended,
           CASE c.condition
                WHEN 'left' THEN CASE WHEN w.state <> 'left' THEN 'closed its session on purpose at ' || t.seen || ', and was to be heard of by ' || t.rests_until
                                      WHEN w.ended = 'replaced' THEN 'its successor found it dead at ' || t.left_at
                                      WHEN w.ended = 'lost' THEN 'had no session at ' || t.left_at || ', when a lease of its had ended'
                                      WHEN w.ended = 'reaped' THEN 'dormouse reap found it dead at ' || t.left_at
                                      ELSE 'ended cleanly at ' || t.left_at END
                WHEN 'dead' THEN CASE WHEN h.abandoned THEN 'the lease of a run it holds ended at ' || t.first_end || ' and was not extended'
                                      WHEN w.state = 'left' THEN 'left at ' || t.left_at || ' and holds runs, whose leases end at ' || t.last_end
                                      ELSE 'lost its session after ' || t.seen
                                           || CASE WHEN h.runs > 0 THEN ' and holds runs, whose leases end at ' || t.last_end ELSE ', holds no run' END END
                ELSE CASE WHEN h.first_end < now() THEN 'a lease ended at ' || t.first_end || ', not long enough ago to say more'
                          WHEN h.runs > 0 THEN 'holds runs, their leases stand until ' || t.first_end
                          WHEN f.present THEN 'has a session, holds no run'
                          WHEN pg_is_in_recovery() THEN 'registered at ' || t.started_at || ', holds no run; a standby sees no sessions'
                          WHEN w.state = 'resting' THEN 'closed its session on purpose at ' || t.seen || ', to be heard of by ' || t.rests_until
                          ELSE 'its session ended with the server, which was started anew; to be heard of by ' || t.rests_until END
           END AS evidence,
           CASE WHEN f.present THEN now() ELSE greatest(w.seen_at, h.last_claim) END AS last_seen_at,
           w.run_id, CASE WHEN w.run_id IS NOT NULL THEN coalesce((SELECT r.status FROM dormouse.run(w.run_id) r), 'gone') END AS run_status,
           w.pid_namespace, w.concurrency AS configured, w.concurrency_max
      FROM dormouse.worker_registry w
      LEFT JOIN (SELECT worker, count(*) AS runs, max(lease_until) AS lease_until, min(lease_until) AS first_end, max(started_at) AS last_claim,
                        bool_or(now() - lease_until > least(lease_until - started_at, interval '1 hour')) AS abandoned
                   FROM dormouse.runs WHERE status = 'running' GROUP BY worker) h ON h.worker = w.id
      LEFT JOIN pg_stat_activity s ON s.pid = w.session_pid AND s.usesysid = w.session_login
                                  AND s.datid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                                  AND coalesce(s.backend_start = w.session_started_at, true)
     CROSS JOIN LATERAL (SELECT s.pid IS NOT NULL AND w.state <> 'left' AS present,
                                w.rests_until > now() AND (w.state = 'resting' OR pg_postmaster_start_time() > w.session_started_at) AS rests,
                                (SELECT s.concurrency FROM dormouse.scaled s WHERE s.pool = w.pool LIMIT 1) AS scaled) f
     CROSS JOIN LATERAL (
           SELECT CASE WHEN w.state = 'left' AND h.runs IS NULL THEN 'left'
                       WHEN h.abandoned THEN 'dead'
                       WHEN f.present OR f.rests OR pg_is_in_recovery() THEN CASE WHEN h.runs > 0 THEN 'live' ELSE 'idle' END
                       WHEN w.state = 'resting' AND h.runs IS NULL THEN 'left'
                       ELSE 'dead' END AS condition) c
     CROSS JOIN LATERAL (
           SELECT date_trunc('second', w.started_at) AS started_at, date_trunc('second', w.left_at) AS left_at,
                  date_trunc('second', greatest(w.seen_at, h.last_claim)) AS seen, date_trunc('second', w.rests_until) AS rests_until,
                  date_trunc('second', h.first_end) AS first_end, date_trunc('second', h.lease_until) AS last_end) t;
COMMENT ON VIEW dormouse.workers IS 'All workers: which are awake, how the others ended, and what each still holds.';
CREATE VIEW dormouse.live_workers AS SELECT * FROM dormouse.workers WHERE condition = 'live';
CREATE VIEW dormouse.idle_workers AS SELECT * FROM dormouse.workers WHERE condition = 'idle';
CREATE VIEW dormouse.dead_workers AS SELECT * FROM dormouse.workers WHERE condition = 'dead';
COMMENT ON VIEW dormouse.live_workers IS 'Workers that have a session, or are resting, and hold runs.';
COMMENT ON VIEW dormouse.idle_workers IS 'Workers that have a session, or are resting, and hold no runs.';
COMMENT ON VIEW dormouse.dead_workers IS 'Workers that have lost their session, or hold runs whose leases expired long ago.';

-- Takes the runs of a worker whose process is proven to be gone, without waiting for their leases, as rescue.sql does: the attempt
-- is logged as lost and counts. Marks the worker as left. Only `dormouse reap` on that host has the proof, hence the marks of the process:
-- a row that has changed since is not touched. `unseen`: the process may be on another machine or in another container of the same name,
-- so that nothing is done while one of its leases stands. Returns how many runs went back and how many are locked; null: nothing was done.
-- `refused` says why not, of a worker whose session lives: as long as one of its leases stands, it executes the runs.
CREATE FUNCTION dormouse.release_worker(worker uuid, host text, pid integer, pid_start bigint, boot_id uuid,
                                        unseen boolean DEFAULT false, OUT released integer, OUT locked integer, OUT refused text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    told integer;
BEGIN
    PERFORM FROM dormouse.worker_registry w
      WHERE w.id = release_worker.worker AND w.host = release_worker.host AND w.pid = release_worker.pid
        AND w.pid_start = release_worker.pid_start AND w.boot_id = release_worker.boot_id
        FOR UPDATE;
    IF NOT FOUND OR release_worker.unseen AND EXISTS (
        SELECT FROM dormouse.runs_live l
         WHERE l.status = 'running' AND l.worker = release_worker.worker AND l.lease_until > now()) THEN
        RETURN;
    END IF;
    SELECT format('worker %s of pool %s on %s (process %s) has a session (pid %s) and holds runs, whose leases stand: it lives. '
                  '`dormouse reap --force` on its host ends it first, if it is stale', w.id, w.pool, w.host, w.pid, s.pid) INTO refused
      FROM dormouse.worker_registry w JOIN pg_stat_activity s ON s.pid = w.session_pid AND s.usesysid = w.session_login
     WHERE w.id = release_worker.worker AND w.state <> 'left' AND coalesce(s.backend_start = w.session_started_at, true)
       AND s.datid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       AND EXISTS (SELECT FROM dormouse.runs_live l
                    WHERE l.status = 'running' AND l.worker = release_worker.worker AND l.lease_until > now());
    IF refused IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('dormouse.session', '', true);  -- as dormouse.lock_run()
    WITH lost AS (
        SELECT l.ctid AS tid, l.fence, l.started_at FROM dormouse.runs_live l
         WHERE l.status = 'running' AND l.worker = release_worker.worker AND (NOT release_worker.unseen OR l.lease_until <= now())
           FOR UPDATE SKIP LOCKED
    ), back AS (
        UPDATE dormouse.runs_live r
           SET status = 'retry', run_at = now(), attempts = least(r.attempts + 1, 32767),
               lost = least(r.lost + 1, 32767), fence = NULL, lease_until = NULL,
               worker = NULL, started_at = NULL,
               error = jsonb_build_object('class', 'lost', 'message', 'the worker that had this run is gone (dormouse reap)')
          FROM lost WHERE r.ctid = lost.tid
        RETURNING r.id, r.queue, lost.fence, lost.started_at
    ), logged AS (
        INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome)
        SELECT b.id, release_worker.worker, b.fence, b.started_at, 'lost' FROM back b
    )
    SELECT count(*), (SELECT count(dormouse.notify_queue(q.queue)) FROM (SELECT DISTINCT b.queue FROM back b) q)
      INTO released, told FROM back;
    locked := (SELECT count(*) FROM dormouse.runs_live l WHERE l.status = 'running' AND l.worker = release_worker.worker);
    UPDATE dormouse.worker_registry w
       SET state = 'left', left_at = coalesce(w.left_at, now()), ended = CASE w.state WHEN 'left' THEN w.ended ELSE 'reaped' END
     WHERE w.id = release_worker.worker AND release_worker.locked = 0;
END $$;

-- Removes what is remembered of workers that are gone: of one, or of all of a pool, together with what that pool has said of retention, and what was said of its scale. Refuses, and
-- says of whom, if one of them lives or holds runs. Whether there is a file of the pool is not known here: `dormouse forget` looks.
CREATE FUNCTION dormouse.forget_workers(pool text, worker uuid, OUT workers bigint, OUT pools bigint, OUT refused text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM dormouse.worker_registry r
      WHERE r.pool = forget_workers.pool OR r.id = forget_workers.worker
      ORDER BY r.id FOR UPDATE;
    SELECT format('worker %s of pool %s on %s (process %s) %s', w.id, w.pool, w.host, w.pid, w.evidence) INTO refused
      FROM dormouse.workers w
     WHERE (w.pool = forget_workers.pool OR w.id = forget_workers.worker) AND (w.condition IN ('live', 'idle') OR w.runs > 0)
     ORDER BY w.started_at DESC LIMIT 1;
    IF refused IS NOT NULL THEN
        RETURN;
    END IF;
    WITH gone AS (
        DELETE FROM dormouse.worker_registry r WHERE r.pool = forget_workers.pool OR r.id = forget_workers.worker RETURNING r.id
    ), unsaid AS (
        DELETE FROM dormouse.retention t WHERE t.pool = forget_workers.pool RETURNING t.pool
    ), unscaled AS (
        DELETE FROM dormouse.pool_scale s WHERE s.pool = forget_workers.pool
    )
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM unsaid) INTO workers, pools;
END $$;

-- Has the workers of a pool execute `concurrency` runs at once for `lasting`, whatever its configuration says; null: as that says, from now on. Tells those that
-- have a session; the others ask at their next start. `refused` says why nothing was done; `changed` is false when there was nothing to take back.
CREATE FUNCTION dormouse.scale(pool text, concurrency integer, lasting interval, reason text DEFAULT NULL,
                               OUT changed boolean, OUT told bigint, OUT refused text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    ends CONSTANT timestamptz := now() + scale.lasting;
BEGIN
    changed := true;
    told := 0;
    IF scale.pool IS NULL THEN
        refused := 'which pool?';
    ELSIF scale.concurrency NOT BETWEEN 1 AND 10000 THEN
        refused := format('a pool cannot execute %s runs at once, but 1 to 10000; one that is to execute none is switched off', scale.concurrency);
    ELSIF scale.concurrency IS NOT NULL AND (ends BETWEEN now() + interval '1 second' AND now() + interval '7 days 2 hours') IS NOT TRUE THEN
        refused := format('it cannot be for %s, but for 1 second to 7 days; what is to stay is in the configuration', coalesce(scale.lasting::text, 'ever'));
    ELSE
        SELECT format('worker %s of pool %s on %s executes %s runs at once at most: its program says so (worker.concurrency)', w.id, w.pool, w.host, w.concurrency_max)
          INTO refused FROM dormouse.workers w
         WHERE w.pool = scale.pool AND w.condition IN ('live', 'idle') AND w.run_id IS NULL AND w.concurrency_max < scale.concurrency
         ORDER BY w.concurrency_max, w.id LIMIT 1;
    END IF;
    IF refused IS NOT NULL THEN
        changed := false;
        RETURN;
    ELSIF scale.concurrency IS NULL THEN
        DELETE FROM dormouse.pool_scale s WHERE s.pool = scale.pool;
        changed := FOUND;
    ELSE
        INSERT INTO dormouse.pool_scale AS s (pool, concurrency, until, reason) VALUES (scale.pool, scale.concurrency, ends, left(scale.reason, 2000))
            ON CONFLICT (pool) DO UPDATE SET concurrency = excluded.concurrency, until = excluded.until, set_by = excluded.set_by,
                                             set_at = excluded.set_at, reason = excluded.reason;
    END IF;
    IF changed THEN
        PERFORM dormouse.note_operation('scale', NULL, jsonb_build_object('pool', scale.pool, 'concurrency', scale.concurrency, 'until',
                                                                          CASE WHEN scale.concurrency IS NOT NULL THEN date_trunc('second', ends) END,
                                                                          'reset', CASE WHEN scale.concurrency IS NULL THEN true END), 0, scale.reason);
        -- By a name that each of its workers listens to before it asks: no worker comes between this and our commit.
        PERFORM pg_notify(dormouse.channel('pool:' || scale.pool), '');
        SELECT count(*) INTO told FROM dormouse.workers w
         WHERE w.pool = scale.pool AND w.condition IN ('live', 'idle') AND w.state = 'awake' AND w.run_id IS NULL;
    END IF;
END $$;
