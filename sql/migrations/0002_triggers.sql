-- What happens by itself. Statement triggers sit on the parent alone: whoever addresses dormouse.runs fires them, the
-- worker's own statements address the leaves and do not. Row triggers are inherited by the leaves.

-- Tells the workers of a queue that there is something to look at. The one place that decides whether a NOTIFY is sent:
-- every commit that carries one takes a lock for the whole cluster. `SET LOCAL dormouse.notify = off` is for
-- transactions that will be prepared (PREPARE TRANSACTION cannot follow a NOTIFY): ring after COMMIT PREPARED.
CREATE FUNCTION dormouse.notify_queue(queue text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('dormouse.notify', true) IS DISTINCT FROM 'off' THEN
        PERFORM pg_notify('dormouse:' || queue, '');
    END IF;
END $$;

-- Tells one worker that a run it holds has been taken away. It asks the database which; the message has no authority.
CREATE FUNCTION dormouse.notify_worker(worker uuid) RETURNS void
LANGUAGE sql AS $$ SELECT pg_notify('dormouse@' || worker, '') $$;

CREATE FUNCTION dormouse.runs_inserted() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dormouse.notify_queue(q.queue)
       FROM (SELECT DISTINCT n.queue FROM new_rows n WHERE n.status IN ('queued', 'retry')) q;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_inserted AFTER INSERT ON dormouse.runs
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_inserted();

CREATE FUNCTION dormouse.runs_updated() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    -- claimable now and not before, or due earlier
    PERFORM dormouse.notify_queue(q.queue)
       FROM (SELECT DISTINCT n.queue
               FROM new_rows n LEFT JOIN old_rows o USING (id)
              WHERE n.status IN ('queued', 'retry')
                AND (o.id IS NULL OR o.status NOT IN ('queued', 'retry') OR n.run_at < o.run_at OR n.queue <> o.queue)) q;
    -- taken away from the worker that has it
    PERFORM dormouse.notify_worker(w.worker)
       FROM (SELECT DISTINCT o.worker
               FROM old_rows o LEFT JOIN new_rows n USING (id)
              WHERE o.status = 'running' AND (n.fence, n.worker) IS DISTINCT FROM (o.fence, o.worker)) w;
    -- finished under the eyes of somebody who waits
    PERFORM pg_notify('dormouse:done', n.id::text)
       FROM new_rows n LEFT JOIN old_rows o USING (id)
      WHERE n.watched AND n.finished_at IS NOT NULL AND o.finished_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_updated AFTER UPDATE ON dormouse.runs
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_updated();

CREATE FUNCTION dormouse.runs_deleted() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dormouse.notify_worker(w.worker)
       FROM (SELECT DISTINCT o.worker FROM old_rows o WHERE o.status = 'running') w;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_deleted AFTER DELETE ON dormouse.runs
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_deleted();

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
        IF NEW.attempts = OLD.attempts THEN
            NEW.attempts := 0;  -- who starts a finished run again wants it attempted
        END IF;
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

-- Statuses that people bring from elsewhere get a hint instead of Postgres's word about partitions.
CREATE FUNCTION dormouse.refuse_unknown_status() RETURNS trigger
LANGUAGE plpgsql AS $$
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

-- A key belongs to one run, also when the row comes by plain INSERT or COPY.
CREATE FUNCTION dormouse.own_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO dormouse.keys AS k (task, key, run_id) VALUES (NEW.task, NEW.key, NEW.id)
        ON CONFLICT (task, key) DO UPDATE SET run_id = k.run_id WHERE k.run_id = EXCLUDED.run_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'dormouse.runs: key "%" of task "%" is taken by another run', NEW.key, NEW.task
            USING ERRCODE = 'unique_violation',
                  HINT = 'dormouse.enqueue(…, key => …) returns the run that has it instead.';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER own_key BEFORE INSERT ON dormouse.runs_live
    FOR EACH ROW WHEN (NEW.key IS NOT NULL) EXECUTE FUNCTION dormouse.own_key();
