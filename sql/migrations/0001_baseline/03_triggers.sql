-- What happens by itself. Statement triggers sit on the parent alone: whoever addresses dormouse.runs fires them, the
-- worker's own statements address the leaves and do not. Row triggers are inherited by the leaves.
-- What runs with the search path of whoever inserts, for the sake of speed, names the schema of all it uses, also of operators and of
-- types, and leaves out what stands for an operator without a schema (IN, USING, IS DISTINCT FROM, CASE x WHEN).

CREATE FUNCTION dormouse.runs_inserted() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dormouse.notify_queue(q.queue)
       FROM (SELECT DISTINCT n.queue FROM new_rows n WHERE n.status OPERATOR(pg_catalog.=) ANY ('{queued,retry}')) q;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_inserted AFTER INSERT ON dormouse.runs
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_inserted();

CREATE FUNCTION dormouse.runs_updated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- claimable now and not before, or due earlier, or by others who may know its task
    PERFORM dormouse.notify_queue(q.queue)
       FROM (SELECT DISTINCT n.queue
               FROM new_rows n LEFT JOIN old_rows o ON o.id OPERATOR(pg_catalog.=) n.id
              WHERE n.status OPERATOR(pg_catalog.=) ANY ('{queued,retry}')
                AND (o.id IS NULL OR o.status OPERATOR(pg_catalog.<>) ALL ('{queued,retry}') OR n.run_at OPERATOR(pg_catalog.<) o.run_at
                     OR n.queue OPERATOR(pg_catalog.<>) o.queue OR n.task OPERATOR(pg_catalog.<>) o.task)) q;
    -- finished under the eyes of somebody who waits
    PERFORM pg_catalog.pg_notify(dormouse.channel('done'), dormouse.told_as(n.id))
       FROM new_rows n LEFT JOIN old_rows o ON o.id OPERATOR(pg_catalog.=) n.id
      WHERE n.watched AND n.finished_at IS NOT NULL AND o.finished_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_updated AFTER UPDATE ON dormouse.runs
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_updated();

CREATE FUNCTION dormouse.runs_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- a key goes with its run. OFFSET 0: looked up by id, for each; as a join all of runs_live is read for each row, where statistics say that it is empty.
    DELETE FROM dormouse.keys k USING old_rows o
     WHERE o.key IS NOT NULL AND k.task = o.task AND k.key = o.key AND k.run_id = o.id
       AND NOT EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = o.id OFFSET 0);
    RETURN NULL;
END $$;
CREATE TRIGGER runs_deleted AFTER DELETE ON dormouse.runs
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_deleted();

-- TRUNCATE, of all runs or of the live ones; no transition table tells which.
CREATE FUNCTION dormouse.runs_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM dormouse.notify_worker(w.worker)
       FROM (SELECT DISTINCT l.worker FROM dormouse.runs_live l WHERE l.status = 'running') w;
    PERFORM pg_notify(dormouse.channel('done'), dormouse.told_as(l.id)) FROM dormouse.runs_live l WHERE l.watched;
    DELETE FROM dormouse.keys k USING dormouse.runs_live l WHERE k.task = l.task AND k.key = l.key AND k.run_id = l.id;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_truncated BEFORE TRUNCATE ON dormouse.runs_live
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_truncated();

-- A change of status by somebody's SQL. The worker's own statements clear the fence and write the attempt themselves, which
-- keeps them out of here (see the WHEN below): plpgsql for each row is nothing for the hot path.
CREATE FUNCTION dormouse.run_changes_status() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    finished CONSTANT text[] := ARRAY['completed', 'failed', 'canceled'];
BEGIN
    IF OLD.status = 'running' AND OLD.fence IS NOT NULL THEN
        IF NEW.status = ANY (finished) THEN
            NEW.last_fence := OLD.fence;
        ELSE
            INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, outcome)
            VALUES (OLD.id, OLD.worker, OLD.fence, OLD.started_at, 'taken_back');
            NEW.worker := NULL;
            NEW.started_at := NULL;
        END IF;
        NEW.fence := NULL;
        NEW.lease_until := NULL;
    END IF;
    IF NEW.status = ANY (finished) AND NEW.finished_at IS NULL THEN
        NEW.finished_at := now();
    END IF;
    IF OLD.status = ANY (finished) AND NEW.status <> ALL (finished) THEN
        IF OLD.started_at IS NOT NULL AND OLD.last_fence IS NOT NULL THEN
            INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, ended_at, outcome, exit_code, signal, cpu_ms,
                                              peak_memory_bytes, error)
            VALUES (OLD.id, OLD.worker, OLD.last_fence, OLD.started_at, OLD.finished_at, OLD.status, OLD.exit_code, OLD.signal,
                    OLD.cpu_ms, OLD.peak_memory_bytes, OLD.error)
            ON CONFLICT DO NOTHING;
        END IF;
        NEW.finished_at := NULL;
        NEW.archived_at := NULL;
        NEW.started_at := NULL;
        NEW.worker := NULL;
        NEW.result := NULL;
        NEW.error := NULL;
        NEW.progress := NULL;
        NEW.progress_text := NULL;
        NEW.last_fence := NULL;
        NEW.exit_code := NULL;
        NEW.signal := NULL;
        NEW.cpu_ms := NULL;
        NEW.peak_memory_bytes := NULL;
        -- who starts a finished run again wants it attempted as if for the first time
        IF NEW.attempts = OLD.attempts THEN
            NEW.attempts := 0;
        END IF;
        NEW.lost := 0;
        NEW.cut_off := 0;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER run_changes_status BEFORE UPDATE ON dormouse.runs
    FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status
          AND (OLD.status = 'running' AND NEW.fence IS NOT NULL
               OR NEW.status IN ('completed', 'failed', 'canceled')
               OR OLD.status IN ('completed', 'failed', 'canceled')))
    EXECUTE FUNCTION dormouse.run_changes_status();

-- A run that is taken away under its handler, by whatever name of the table and after what run_changes_status has made of it. The worker's
-- own session says that it is one (open_session.sql), since it moves each run that ends. Anybody can say so: functions that move runs for those who may
-- not write the tables unsay it (lock_run, lock_matching, release_worker), until the end of the transaction. Not by a SET clause: for a setting that
-- Postgres does not know that takes a superuser.
CREATE FUNCTION dormouse.run_is_taken_away() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.status = 'running' THEN
        PERFORM dormouse.notify_worker(OLD.worker);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        RETURN NEW;
    END IF;
    IF OLD.watched THEN  -- whoever waits for its end waits no longer
        PERFORM pg_notify(dormouse.channel('done'), dormouse.told_as(OLD.id));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER run_is_taken_away BEFORE UPDATE OF status, fence, worker ON dormouse.runs_live
    FOR EACH ROW WHEN (OLD.status = 'running' AND (NEW.fence, NEW.worker) IS DISTINCT FROM (OLD.fence, OLD.worker)
                       AND current_setting('dormouse.session', true) IS DISTINCT FROM 'worker')
    EXECUTE FUNCTION dormouse.run_is_taken_away();
-- (A trigger before it would lock each run that ends, whatever its WHEN says: 54 bytes of the log.)
CREATE TRIGGER run_is_deleted AFTER DELETE ON dormouse.runs_live
    FOR EACH ROW WHEN ((OLD.status = 'running' OR OLD.watched) AND current_setting('dormouse.session', true) IS DISTINCT FROM 'worker')
    EXECUTE FUNCTION dormouse.run_is_taken_away();

-- Statuses that people bring from elsewhere get a hint instead of Postgres's word about partitions.
CREATE FUNCTION dormouse.refuse_unknown_status() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    meant CONSTANT text := CASE lower(NEW.status)
        WHEN 'error' THEN 'failed' WHEN 'errored' THEN 'failed' WHEN 'failure' THEN 'failed' WHEN 'dead' THEN 'failed'
        WHEN 'discarded' THEN 'failed' WHEN 'cancelled' THEN 'canceled' WHEN 'aborted' THEN 'canceled'
        WHEN 'done' THEN 'completed' WHEN 'success' THEN 'completed' WHEN 'succeeded' THEN 'completed' WHEN 'complete' THEN 'completed'
        WHEN 'finished' THEN 'completed' WHEN 'pending' THEN 'queued' WHEN 'available' THEN 'queued' WHEN 'waiting' THEN 'queued'
        WHEN 'new' THEN 'queued' WHEN 'scheduled' THEN 'queued' WHEN 'retryable' THEN 'retry' WHEN 'active' THEN 'running'
        WHEN 'executing' THEN 'running' WHEN 'processing' THEN 'running' END;
BEGIN
    RAISE EXCEPTION 'dormouse.runs: status "%" is not known', NEW.status
        USING ERRCODE = 'check_violation',
              HINT = coalesce('Use "' || meant || '". ', '')
                     || 'It is one of queued, running, retry, blocked, completed, failed, canceled.';
END $$;
CREATE TRIGGER refuse_unknown_status BEFORE INSERT ON dormouse.runs_unknown
    FOR EACH ROW EXECUTE FUNCTION dormouse.refuse_unknown_status();

-- What a run may bring. It is checked when it comes in, by INSERT, COPY, a function or an UPDATE that makes a finished run live again, and
-- when one of these columns is changed. No CHECK constraints and no WHEN: those are read and compiled anew by every statement, also by the
-- claim and the completion, which change none of this (11 CHECKs were half of the time of an enqueue; a function is compiled once).
--   payload       at most 16 MiB as text, and at most 32 times what it takes as it is stored, so that whoever claims it knows what it brings without
--                 writing it out. Only a number can be longer: 1e131071 by 10,000 times, the largest double by 27. What is written out here to be measured
--                 is known to be harmless.
--   queue, task   printable: no control characters and no other line breaks.
--   run_at        a time before 1970 is taken as 1970: it is due.
--   timeout_ms    more than 10 years is taken as 10 years: nobody waits for it.
CREATE FUNCTION dormouse.check_values() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- C0, DEL, C1 and line separators; without backslashes, which a caller's standard_conforming_strings would turn around
    unprintable CONSTANT text := '[' || chr(1) || '-' || chr(31) || chr(127) || '-' || chr(159) || chr(8232) || chr(8233) || ']';
BEGIN
    -- 1,300 bytes cannot be more than 16 MiB of text: 12 bytes for each number of 147,457 digits
    IF (pg_column_size(ARRAY[NEW.payload]) > 1300 OR octet_length(NEW.payload::text) > pg_column_size(ARRAY[NEW.payload]) * 32 + 1000
       OR octet_length(NEW.queue) NOT BETWEEN 1 AND 48 OR octet_length(NEW.task) NOT BETWEEN 1 AND 200
       OR octet_length(NEW.key) NOT BETWEEN 1 AND 500 OR octet_length(NEW.traceparent) > 512
       OR (NEW.queue || NEW.task) ~ unprintable
       OR NEW.priority NOT BETWEEN -100 AND 100 OR NEW.attempts < 0 OR NEW.max_attempts NOT BETWEEN 1 AND 1000
       OR NEW.timeout_ms NOT BETWEEN 0 AND 315576000000 OR NEW.archived_at IS NOT NULL
       OR NEW.run_at NOT BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00') IS NOT TRUE THEN
        RETURN NEW;
    END IF;
    DECLARE
        most CONSTANT bigint := 16777216;
        raw  CONSTANT bigint := pg_column_size(ARRAY[NEW.payload]);  -- as an element it is not compressed
        long_numbers CONSTANT bigint := raw * 32 + 1000;
        digits bigint := 0;
        long   bigint;
        fits   boolean := false;
        wrong  text;
    BEGIN
        -- out of sight, and executed all the same: nobody means that
        IF NEW.archived_at IS NOT NULL AND NEW.status = ANY ('{queued,running,retry,blocked}') THEN
            RAISE EXCEPTION 'dormouse.runs: run % is %, and archived_at alone does not end it', NEW.id, NEW.status
                USING ERRCODE = 'check_violation',
                      HINT = 'dormouse.archive(id) cancels it and puts it out of sight, dormouse.archive_runs() many; '
                             'an UPDATE that means the others needs WHERE finished_at IS NOT NULL.';
        END IF;
        IF NEW.run_at > '-infinity' THEN
            NEW.run_at := greatest(NEW.run_at, '1970-01-01 00:00:00+00');
        END IF;
        IF NEW.timeout_ms > 315576000000 THEN
            NEW.timeout_ms := 315576000000;
        END IF;
        wrong := CASE
            WHEN octet_length(NEW.queue) NOT BETWEEN 1 AND 48 THEN 'queue has ' || octet_length(NEW.queue) || ' bytes, expected 1 to 48'
            WHEN octet_length(NEW.task) NOT BETWEEN 1 AND 200 THEN 'task has ' || octet_length(NEW.task) || ' bytes, expected 1 to 200'
            WHEN octet_length(NEW.key) NOT BETWEEN 1 AND 500 THEN 'key has ' || octet_length(NEW.key) || ' bytes, expected 1 to 500'
            WHEN NEW.queue ~ unprintable THEN 'queue has a control character or a line break'
            WHEN NEW.task ~ unprintable THEN 'task has a control character or a line break'
            WHEN octet_length(NEW.traceparent) > 512 THEN 'traceparent has ' || octet_length(NEW.traceparent) || ' bytes, expected at most 512'
            WHEN NEW.priority NOT BETWEEN -100 AND 100 THEN 'priority is ' || NEW.priority || ', expected -100 to 100'
            WHEN NEW.attempts < 0 THEN 'attempts is ' || NEW.attempts || ', expected 0 or more'
            WHEN NEW.max_attempts NOT BETWEEN 1 AND 1000 THEN 'max_attempts is ' || NEW.max_attempts || ', expected 1 to 1000'
            WHEN NEW.timeout_ms < 0 THEN 'timeout is ' || NEW.timeout_ms || ' ms, expected 0 to 10 years'
            WHEN NEW.run_at = '-infinity' OR NEW.run_at > '9999-12-31 23:59:59.999999+00' AND NEW.run_at < 'infinity'
                 THEN 'run_at is ' || NEW.run_at || ', expected 1970 to 9999, or infinity to park it' END;
        IF wrong IS NULL THEN
            IF raw <= most * 4 + 1000 THEN  -- [1, 1, ...] is stored in 12 bytes for 3 of text, and nothing needs more
                IF raw > 8192 THEN
                    FOR long IN
                        SELECT octet_length(n.number::text)
                          FROM jsonb_path_query(NEW.payload, 'strict $.** ? (@ < 1e-100 || @ > 1e100)') n (number)
                         WHERE octet_length(n.number::text) > 1000
                    LOOP
                        digits := digits + long;
                        EXIT WHEN digits > long_numbers;
                    END LOOP;
                END IF;
                BEGIN
                    IF digits <= long_numbers THEN
                        digits := octet_length(NEW.payload::text);
                    END IF;
                    fits := digits <= most;
                EXCEPTION WHEN program_limit_exceeded THEN
                    NULL;  -- not even Postgres can write it
                END;
            END IF;
            wrong := CASE WHEN digits > long_numbers THEN 'payload has numbers of thousands of digits, such as 1e131071: give them as text'
                          WHEN NOT fits THEN 'payload is more than 16 MiB as text' END;
        END IF;
        IF wrong IS NOT NULL THEN
            RAISE EXCEPTION 'dormouse.runs: %', wrong USING ERRCODE = 'check_violation';
        END IF;
    END;
    RETURN NEW;
END $$;
CREATE TRIGGER check_values BEFORE INSERT OR UPDATE OF queue, task, key, payload, priority, max_attempts, timeout_ms, traceparent
    ON dormouse.runs_live FOR EACH ROW EXECUTE FUNCTION dormouse.check_values();
CREATE TRIGGER check_archived BEFORE INSERT OR UPDATE OF archived_at ON dormouse.runs_live
    FOR EACH ROW WHEN (NEW.archived_at IS NOT NULL AND NEW.status IN ('queued', 'running', 'retry', 'blocked'))
    EXECUTE FUNCTION dormouse.check_values();
-- Workers change these, too: without a look at the payload, which may be large.
CREATE TRIGGER check_changes BEFORE UPDATE OF run_at, attempts ON dormouse.runs_live
    FOR EACH ROW WHEN (NEW.attempts < 0 OR NEW.run_at NOT BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00')
    EXECUTE FUNCTION dormouse.check_values();

-- Whether there is a run of this id, live or finished. Stable, so that all of it is one snapshot: a run that finishes meanwhile is in one of
-- the two.
CREATE FUNCTION dormouse.run_exists(id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = run_exists.id) OR dormouse.finished_at(run_exists.id) IS NOT NULL;
END $$;

-- Before they go into an index, which takes less than a third of a page and says so in other words.
CREATE FUNCTION dormouse.check_key(task text, key text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF octet_length(task) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'dormouse.runs: task has % bytes, expected 1 to 200', octet_length(task) USING ERRCODE = 'check_violation';
    ELSIF octet_length(key) NOT BETWEEN 1 AND 500 THEN
        RAISE EXCEPTION 'dormouse.runs: key has % bytes, expected 1 to 500', octet_length(key) USING ERRCODE = 'check_violation';
    END IF;
END $$;

-- Who owns this key of this task: the run `id`, if nobody did. A key whose run is not there any more (somebody deleted it under the
-- leaves' names, detached its partition, or restored one table and not the other) is taken over. By index whatever the statistics say: a
-- plan that was made while there were few keys is kept for the session.
CREATE FUNCTION dormouse.take_key(task text, key text, id uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    owner uuid;
BEGIN
    IF octet_length(take_key.task) NOT BETWEEN 1 AND 200 OR octet_length(take_key.key) NOT BETWEEN 1 AND 500 THEN
        PERFORM dormouse.check_key(take_key.task, take_key.key);
    END IF;
    FOR try IN 1 .. 100 LOOP
        INSERT INTO dormouse.keys (task, key, run_id) VALUES (take_key.task, take_key.key, take_key.id) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN take_key.id;
        END IF;
        SELECT k.run_id INTO owner FROM dormouse.keys k WHERE k.task = take_key.task AND k.key = take_key.key;
        CONTINUE WHEN NOT FOUND;  -- it was there and has just been dropped with its run
        IF owner = take_key.id OR dormouse.run_exists(owner) THEN
            RETURN owner;
        END IF;
        UPDATE dormouse.keys k SET run_id = take_key.id, created_at = now()
         WHERE k.task = take_key.task AND k.key = take_key.key AND k.run_id = owner;
        IF FOUND THEN
            RETURN take_key.id;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'dormouse: key "%" of task "%" can be neither taken nor read', take_key.key, take_key.task
        USING ERRCODE = 'object_in_use', HINT = 'Is there a trigger or a rule on dormouse.keys?';
END $$;

-- A key belongs to one run, also when the row comes by plain INSERT or COPY, or gets it by UPDATE.
CREATE FUNCTION dormouse.own_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.key IS NOT NULL THEN
        DELETE FROM dormouse.keys k WHERE k.task = OLD.task AND k.key = OLD.key AND k.run_id = OLD.id;
    END IF;
    IF NEW.key IS NULL OR EXISTS (SELECT FROM dormouse.keys k WHERE k.task = NEW.task AND k.key = NEW.key AND k.run_id = NEW.id) THEN
        RETURN NEW;  -- enqueue() has taken it already
    ELSIF TG_OP = 'INSERT' AND EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = NEW.id) THEN
        RETURN NEW;  -- it will not be inserted (ON CONFLICT DO NOTHING), so it takes no key
    ELSIF dormouse.take_key(NEW.task, NEW.key, NEW.id) <> NEW.id THEN
        RAISE EXCEPTION 'dormouse.runs: key "%" of task "%" is taken by another run', NEW.key, NEW.task
            USING ERRCODE = 'unique_violation',
                  HINT = 'dormouse.enqueue(..., key => ...) returns the run that has it instead.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER own_key BEFORE INSERT ON dormouse.runs_live
    FOR EACH ROW WHEN (NEW.key IS NOT NULL) EXECUTE FUNCTION dormouse.own_key();
-- A finished run that comes from elsewhere, with the history of another queue, owns its key as well. One that was there when the statement began is being
-- moved, and has its key, or has lost it, which is no reason to keep it from ending: hence STABLE, by which run_exists() sees what the statement sees. Noted as
-- a stray here already, so that the next row of the same statement finds it by its id. What workers move costs nothing.
CREATE FUNCTION dormouse.own_key_finished() RETURNS trigger
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM dormouse.keys k WHERE k.task = NEW.task AND k.key = NEW.key AND k.run_id = NEW.id) OR dormouse.run_exists(NEW.id) THEN
        RETURN NEW;
    ELSIF dormouse.take_key(NEW.task, NEW.key, NEW.id) <> NEW.id THEN
        RAISE EXCEPTION 'dormouse.runs: key "%" of task "%" is taken by another run', NEW.key, NEW.task
            USING ERRCODE = 'unique_violation', HINT = 'Leave out what has finished more than once with this key, or its key.';
    END IF;
    PERFORM dormouse.note_stray(NEW.id, NEW.finished_at);
    RETURN NEW;
END $$;
CREATE TRIGGER own_key_finished BEFORE INSERT ON dormouse.runs_finished
    FOR EACH ROW WHEN (NEW.key IS NOT NULL AND current_setting('dormouse.session', true) IS DISTINCT FROM 'worker')
    EXECUTE FUNCTION dormouse.own_key_finished();
CREATE TRIGGER change_key BEFORE UPDATE OF id, task, key ON dormouse.runs
    FOR EACH ROW WHEN ((NEW.id, NEW.task, NEW.key) IS DISTINCT FROM (OLD.id, OLD.task, OLD.key))
    EXECUTE FUNCTION dormouse.own_key();
