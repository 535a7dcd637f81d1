-- What operators do: cancel, retry and archive a run by its id (many by a filter: 10_bulk.sql), and take back what a dead worker holds. All of it goes through
-- dormouse.runs, so that the triggers take the fence, log the attempt and tell the worker. A row that somebody has locked is told, never
-- waited for. Planner settings belong to functions that read and lock. What changes runs fires other people's triggers, which keep the settings of their
-- session: such statements are planned for their values by EXECUTE.

-- Locks the row that counts for this id: the live one, else the one that finished last. `problem` says why there is none.
CREATE FUNCTION dormouse.lock_run(id uuid, OUT problem text, OUT status text, OUT finished_at timestamptz, OUT archived_at timestamptz,
                                  OUT run_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
<<here>>
DECLARE
    last timestamptz;
    part regclass;
BEGIN
    PERFORM set_config('dormouse.session', '', true);  -- whatever the caller says: what happens to this run is nothing that a worker moves
    FOR try IN 1 .. 5 LOOP
        BEGIN
            IF EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = lock_run.id) THEN
                SELECT r.status, NULL, NULL, r.run_at INTO lock_run.status, lock_run.finished_at, lock_run.archived_at, lock_run.run_at
                  FROM dormouse.runs_live r WHERE r.id = lock_run.id
                   FOR UPDATE SKIP LOCKED;
            ELSE
                last := dormouse.finished_at(lock_run.id);
                IF last IS NULL AND NOT EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = lock_run.id) THEN
                    problem := 'unknown: there is no run of this id (any more)';
                    RETURN;
                END IF;
                -- by the name of its day: else the table and each of its indexes are locked once more
                SELECT r.tableoid INTO here.part FROM dormouse.runs_finished r WHERE r.id = lock_run.id AND r.finished_at = here.last;
                IF FOUND THEN
                    EXECUTE format('SELECT r.status, r.finished_at, r.archived_at, r.run_at FROM %s r WHERE r.id = $1 AND r.finished_at = $2
                                       FOR UPDATE SKIP LOCKED', part)
                       INTO lock_run.status, lock_run.finished_at, lock_run.archived_at, lock_run.run_at USING lock_run.id, last;
                END IF;
            END IF;
            IF lock_run.status IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN serialization_failure THEN
            NULL;  -- somebody's UPDATE has just moved it to another partition: look again
        END;
    END LOOP;
    problem := 'locked: somebody is at work on this row; nothing was changed, try again';
END $$;

-- The error of a canceled run. A reason of more than 8,192 bytes is cut: it is kept with each run, and shown with many.
CREATE FUNCTION dormouse.canceled_by(reason text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('class', 'canceled', 'message', 'canceled by ' || dormouse.who() || coalesce(': ' || cut.reason, ''))
      FROM (SELECT CASE WHEN octet_length($1) <= 8192 THEN $1 ELSE left($1, 2000) || ' (cut, of ' || octet_length($1) || ' bytes)' END) cut (reason)
$$;

-- Keeps what was done to runs, or to a pool (scale), in the transaction that does it, for 90 days (11_retention.sql). Nothing was: nothing is kept.
CREATE FUNCTION dormouse.note_operation(operation text, run_id uuid, filter jsonb, runs integer, reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF note_operation.runs > 0 OR note_operation.operation = 'scale' THEN
        INSERT INTO dormouse.operations (operation, run_id, filter, runs, reason)
        VALUES (note_operation.operation, note_operation.run_id, jsonb_strip_nulls(note_operation.filter), note_operation.runs,
                left(note_operation.reason, 2000));
    END IF;
END $$;

-- Cancels a run that has not finished. A running one loses its fence here; its worker hears of it and ends the handler, wherever it is.
-- Returns one word, mostly with ": " and more of it: canceled; unchanged; locked; unknown.
CREATE FUNCTION dormouse.cancel(id uuid, reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    run record;
    rests boolean := false;
BEGIN
    SELECT * INTO run FROM dormouse.lock_run(cancel.id);
    IF run.problem IS NOT NULL THEN
        RETURN run.problem;
    ELSIF run.finished_at IS NOT NULL THEN
        RETURN 'unchanged: it is ' || run.status || ' already';
    ELSIF run.status = 'running' THEN
        rests := EXISTS (SELECT FROM dormouse.runs_live l JOIN dormouse.worker_registry w ON w.id = l.worker WHERE l.id = cancel.id AND w.state = 'resting');
    END IF;
    EXECUTE 'UPDATE dormouse.runs r SET status = ''canceled'', error = dormouse.canceled_by($3) WHERE r.id = $1 AND r.status = $2'
      USING cancel.id, run.status, cancel.reason;
    PERFORM dormouse.note_operation('cancel', cancel.id, NULL, 1, cancel.reason);
    RETURN CASE WHEN rests THEN 'canceled: it was running, its worker has closed its session and ends the handler with the next one, or when it is rung (dormouse wake)'
                WHEN run.status = 'running' THEN 'canceled: it was running, its handler is being ended'
                ELSE 'canceled: it was ' || run.status END;
END $$;

-- Starts a finished run again, with all of its attempts and at the end of the line; a run that waits for its next attempt becomes due now.
-- Returns one word, mostly with ": " and more of it: queued; due; unchanged; refused; locked; unknown.
CREATE FUNCTION dormouse.retry(id uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    run record;
BEGIN
    SELECT * INTO run FROM dormouse.lock_run(retry.id);
    IF run.problem IS NOT NULL THEN
        RETURN run.problem;
    ELSIF run.status = 'running' THEN
        RETURN 'refused: it is running; cancel it first';
    ELSIF run.status = 'blocked' THEN
        RETURN 'refused: it is blocked';
    ELSIF run.status = 'queued' THEN
        RETURN 'unchanged: it is queued already'
               || CASE WHEN run.run_at > now() THEN ', put off until ' || run.run_at ELSE '' END;
    ELSIF run.status = 'retry' THEN
        IF run.run_at <= now() THEN
            RETURN 'unchanged: it is due already';
        END IF;
        EXECUTE 'UPDATE dormouse.runs r SET run_at = now() WHERE r.id = $1 AND r.status = ''retry''' USING retry.id;
        PERFORM dormouse.note_operation('retry', retry.id, NULL, 1, NULL);
        RETURN 'due: it would have been tried again at ' || run.run_at;
    END IF;
    EXECUTE 'UPDATE dormouse.runs r SET status = ''queued'', run_at = now() WHERE r.id = $1 AND r.status = $2 AND r.finished_at = $3'
      USING retry.id, run.status, run.finished_at;
    PERFORM dormouse.note_operation('retry', retry.id, NULL, 1, NULL);
    RETURN 'queued: it was ' || run.status;
EXCEPTION WHEN unique_violation THEN
    RETURN 'refused: its key belongs to another run by now';
END $$;

-- Puts a finished run out of sight (`dormouse runs` leaves it out); cancels one that has not finished first.
-- Returns one word, mostly with ": " and more of it: archived; unchanged; locked; unknown.
CREATE FUNCTION dormouse.archive(id uuid, reason text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    run record;
BEGIN
    SELECT * INTO run FROM dormouse.lock_run(archive.id);
    IF run.problem IS NOT NULL THEN
        RETURN run.problem;
    ELSIF run.archived_at IS NOT NULL THEN
        RETURN 'unchanged: it was archived at ' || run.archived_at;
    ELSIF run.finished_at IS NOT NULL THEN
        EXECUTE 'UPDATE dormouse.runs r SET archived_at = now() WHERE r.id = $1 AND r.status = $2 AND r.finished_at = $3'
          USING archive.id, run.status, run.finished_at;
        PERFORM dormouse.note_operation('archive', archive.id, NULL, 1, archive.reason);
        RETURN 'archived: it is ' || run.status;
    END IF;
    EXECUTE 'UPDATE dormouse.runs r SET status = ''canceled'', archived_at = now(), error = dormouse.canceled_by($3)
              WHERE r.id = $1 AND r.status = $2'
      USING archive.id, run.status, archive.reason;
    PERFORM dormouse.note_operation('archive', archive.id, NULL, 1, archive.reason);
    RETURN 'archived: it was ' || run.status || ' and is canceled'
           || CASE run.status WHEN 'running' THEN ', its handler is being ended' ELSE '' END;
END $$;
