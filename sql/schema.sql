-- What the migrations make. Written by tests/support/dump_schema.sh; a test compares it.

CREATE SCHEMA dormouse;

CREATE FUNCTION dormouse.archive(id uuid, reason text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

CREATE FUNCTION dormouse.archive_runs(status text DEFAULT NULL::text, task text DEFAULT NULL::text, queue text DEFAULT NULL::text, older_than interval DEFAULT NULL::interval, created_before timestamp with time zone DEFAULT NULL::timestamp with time zone, max_runs integer DEFAULT 200, after text DEFAULT NULL::text, reason text DEFAULT NULL::text, key text DEFAULT NULL::text, error text DEFAULT NULL::text, worker uuid DEFAULT NULL::uuid, OUT changed integer, OUT locked integer, OUT refused integer, OUT next text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_variable
DECLARE
    finished CONSTANT text[] := ARRAY['completed', 'failed', 'canceled'];
    statuses CONSTANT text[] := dormouse.statuses_meant('archive_runs', archive_runs.status,
                                    finished || ARRAY['queued', 'running', 'retry', 'blocked'], finished, archive_runs.task,
                                    archive_runs.queue, archive_runs.older_than::text, archive_runs.created_before::text, archive_runs.key, archive_runs.error,
                                    archive_runs.worker::text);
    step record;
    rows integer;
BEGIN
    changed := 0;
    locked := 0;
    refused := 0;
    FOR step IN SELECT * FROM dormouse.lock_matching(statuses, archive_runs.task, archive_runs.queue, archive_runs.older_than, archive_runs.created_before,
                                                     archive_runs.after, archive_runs.max_runs, archive_runs.key, archive_runs.error, archive_runs.worker)
    LOOP
        locked := locked + step.locked;
        next := step.next;
        CONTINUE WHEN step.held = '{}';
        IF step.since IS NOT NULL THEN
            EXECUTE 'UPDATE dormouse.runs r SET archived_at = now()
                      WHERE r.id = ANY ($1) AND r.archived_at IS NULL
                        AND r.status IN (''completed'', ''failed'', ''canceled'') AND r.status || '''' = ANY ($2)
                        AND (r.finished_at >= $3 AND r.finished_at < $4 OR r.finished_at = $4)'
              USING step.held, statuses, step.since, step.until;
        ELSE
            EXECUTE 'UPDATE dormouse.runs r SET status = ''canceled'', archived_at = now(), error = dormouse.canceled_by($3)
                      WHERE r.id = ANY ($1) AND r.status IN (''queued'', ''running'', ''retry'', ''blocked'') AND r.status || '''' = ANY ($2)'
              USING step.held, statuses, archive_runs.reason;
        END IF;
        GET DIAGNOSTICS rows = ROW_COUNT;
        changed := changed + rows;
    END LOOP;
    PERFORM dormouse.note_operation('archive', NULL, jsonb_build_object('status', archive_runs.status, 'task', archive_runs.task, 'queue', archive_runs.queue,
        'key', archive_runs.key, 'error', archive_runs.error, 'worker', archive_runs.worker, 'older_than', archive_runs.older_than), changed, archive_runs.reason);
END $_$;

CREATE FUNCTION dormouse.new_id() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    RETURN ((OVERLAY(lpad(to_hex(((date_part('epoch'::text, clock_timestamp()) * (4096000)::double precision))::bigint), 15, '0'::text) PLACING '7'::text FROM 13 FOR 0) || substr((gen_random_uuid())::text, 20)))::uuid;

CREATE TABLE dormouse.attempt_log (
    run_id uuid NOT NULL,
    worker uuid NOT NULL,
    fence bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone DEFAULT now() NOT NULL,
    outcome text NOT NULL,
    exit_code smallint,
    signal smallint,
    cpu_ms bigint,
    peak_memory_bytes bigint,
    error jsonb,
    progress real,
    progress_text text,
    CONSTRAINT attempt_log_outcome_check CHECK ((outcome = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text, 'retry'::text, 'put_off'::text, 'not_started'::text, 'handed_back'::text, 'cut_off'::text, 'lost'::text, 'taken_back'::text])))
)
PARTITION BY RANGE (ended_at);

CREATE TABLE dormouse.runs (
    id uuid DEFAULT dormouse.new_id() NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL COLLATE pg_catalog."C",
    task text NOT NULL COLLATE pg_catalog."C",
    priority smallint DEFAULT 0 NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    max_attempts smallint,
    timeout_ms bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    key text COLLATE pg_catalog."C",
    traceparent text,
    watched boolean DEFAULT false NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    archived_at timestamp with time zone,
    worker uuid,
    fence bigint,
    lease_until timestamp with time zone,
    result jsonb,
    error jsonb,
    progress real,
    progress_text text,
    last_fence bigint,
    exit_code smallint,
    signal smallint,
    cpu_ms bigint,
    peak_memory_bytes bigint,
    lost smallint DEFAULT 0 NOT NULL,
    cut_off smallint DEFAULT 0 NOT NULL,
    CONSTRAINT finished_has_finished_at CHECK (
CASE
    WHEN (status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) THEN (((finished_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) IS TRUE)
    ELSE (finished_at IS NULL)
END),
    CONSTRAINT progress_is_0_to_1 CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT running_has_lease_fence_worker_and_start CHECK (
CASE
    WHEN (status = 'running'::text) THEN (((((lease_until >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (lease_until <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((started_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (started_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))) IS TRUE) AND (fence IS NOT NULL) AND (worker IS NOT NULL))
    ELSE ((lease_until IS NULL) AND (fence IS NULL))
END)
)
PARTITION BY LIST (status);

COMMENT ON TABLE dormouse.runs IS 'One row is one run. Insert here, or call dormouse.enqueue().';

COMMENT ON COLUMN dormouse.runs.priority IS 'From -100 to 100. Smaller is sooner; the default is 0.';

COMMENT ON COLUMN dormouse.runs.payload IS 'At most 16 MiB as text; limits.payload_bytes of a pool is usually less.';

COMMENT ON COLUMN dormouse.runs.run_at IS 'When the run is due; infinity: not until it is given a time.';

COMMENT ON COLUMN dormouse.runs.attempts IS 'Attempts that count: not those handed back, canceled, not started or put off by the handler.';

COMMENT ON COLUMN dormouse.runs.watched IS 'Somebody waits for the end of this run: it is told (topic "done" of dormouse.listen()).';

COMMENT ON COLUMN dormouse.runs.last_fence IS 'The fence of a finished run''s last attempt.';

COMMENT ON COLUMN dormouse.runs.lost IS 'Attempts that were lost with a worker that died while its host lived. From the second on the run is not executed beside another such run, so that it takes no others with it.';

COMMENT ON COLUMN dormouse.runs.cut_off IS 'Attempts that a worker ended because it could not extend the lease. The first 3 use up no attempt.';

CREATE VIEW dormouse.attempts AS
 SELECT a.run_id,
    row_number() OVER (PARTITION BY a.run_id ORDER BY a.started_at, a.fence) AS attempt,
    a.worker,
    a.fence,
    a.started_at,
    a.ended_at,
    a.outcome,
    a.exit_code,
    a.signal,
    a.cpu_ms,
    a.peak_memory_bytes,
    a.error,
    a.progress,
    a.progress_text
   FROM ( SELECT attempt_log.run_id,
            attempt_log.worker,
            attempt_log.fence,
            attempt_log.started_at,
            attempt_log.ended_at,
            attempt_log.outcome,
            attempt_log.exit_code,
            attempt_log.signal,
            attempt_log.cpu_ms,
            attempt_log.peak_memory_bytes,
            attempt_log.error,
            attempt_log.progress,
            attempt_log.progress_text
           FROM dormouse.attempt_log
        UNION ALL
         SELECT runs.id,
            runs.worker,
            runs.last_fence,
            runs.started_at,
            runs.finished_at,
            runs.status,
            runs.exit_code,
            runs.signal,
            runs.cpu_ms,
            runs.peak_memory_bytes,
            runs.error,
            runs.progress,
            runs.progress_text
           FROM dormouse.runs
          WHERE ((runs.status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) AND (runs.started_at IS NOT NULL) AND (runs.last_fence IS NOT NULL))
        UNION ALL
         SELECT runs.id,
            runs.worker,
            runs.fence,
            runs.started_at,
            NULL::timestamp with time zone,
            'running'::text,
            NULL::smallint,
            NULL::smallint,
            NULL::bigint,
            NULL::bigint,
            NULL::jsonb,
            runs.progress,
            runs.progress_text
           FROM dormouse.runs
          WHERE (runs.status = 'running'::text)) a;

COMMENT ON VIEW dormouse.attempts IS 'Every claim of every run, and its outcome. A claim that was handed_back used no attempt.';

CREATE FUNCTION dormouse.attempts_of(id uuid) RETURNS SETOF dormouse.attempts
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
#variable_conflict use_variable
DECLARE
    run   dormouse.runs;
    since timestamptz;
    until timestamptz;
BEGIN
    SELECT r.* INTO run FROM dormouse.run(attempts_of.id) r;
    SELECT least(w.since, run.created_at), coalesce(run.finished_at, now()) INTO since, until FROM dormouse.finishes_within(attempts_of.id) w;
    RETURN QUERY
        SELECT attempts_of.id, row_number() OVER (ORDER BY a.started_at, a.fence), a.worker, a.fence, a.started_at, a.ended_at, a.outcome,
               a.exit_code, a.signal, a.cpu_ms, a.peak_memory_bytes, a.error, a.progress, a.progress_text
          FROM (SELECT l.worker, l.fence, l.started_at, l.ended_at, l.outcome, l.exit_code, l.signal, l.cpu_ms, l.peak_memory_bytes, l.error,
                       l.progress, l.progress_text
                  FROM dormouse.attempt_log l
                 WHERE l.run_id = attempts_of.id AND l.ended_at >= since AND l.ended_at <= until
                UNION ALL
                SELECT run.worker, run.last_fence, run.started_at, run.finished_at, run.status, run.exit_code, run.signal, run.cpu_ms,
                       run.peak_memory_bytes, run.error, run.progress, run.progress_text
                 WHERE run.finished_at IS NOT NULL AND run.started_at IS NOT NULL AND run.last_fence IS NOT NULL
                UNION ALL
                SELECT run.worker, run.fence, run.started_at, NULL, 'running', NULL, NULL, NULL, NULL, NULL, run.progress, run.progress_text
                 WHERE run.status = 'running') a;
END $$;

CREATE FUNCTION dormouse.cancel(id uuid, reason text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

CREATE FUNCTION dormouse.cancel_runs(status text DEFAULT NULL::text, task text DEFAULT NULL::text, queue text DEFAULT NULL::text, older_than interval DEFAULT NULL::interval, created_before timestamp with time zone DEFAULT NULL::timestamp with time zone, max_runs integer DEFAULT 200, after text DEFAULT NULL::text, reason text DEFAULT NULL::text, key text DEFAULT NULL::text, error text DEFAULT NULL::text, worker uuid DEFAULT NULL::uuid, OUT changed integer, OUT locked integer, OUT refused integer, OUT next text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_variable
DECLARE
    live CONSTANT text[] := ARRAY['queued', 'running', 'retry', 'blocked'];
    statuses CONSTANT text[] := dormouse.statuses_meant('cancel_runs', cancel_runs.status, live, live, cancel_runs.task,
                                    cancel_runs.queue, cancel_runs.older_than::text, cancel_runs.created_before::text, cancel_runs.key, cancel_runs.error,
                                    cancel_runs.worker::text);
    step record;
    rows integer;
BEGIN
    changed := 0;
    locked := 0;
    refused := 0;
    FOR step IN SELECT * FROM dormouse.lock_matching(statuses, cancel_runs.task, cancel_runs.queue, cancel_runs.older_than, cancel_runs.created_before,
                                                     cancel_runs.after, cancel_runs.max_runs, cancel_runs.key, cancel_runs.error, cancel_runs.worker)
    LOOP
        locked := locked + step.locked;
        next := step.next;
        CONTINUE WHEN step.held = '{}';
        EXECUTE 'UPDATE dormouse.runs r SET status = ''canceled'', error = dormouse.canceled_by($3)
                  WHERE r.id = ANY ($1) AND r.status IN (''queued'', ''running'', ''retry'', ''blocked'') AND r.status || '''' = ANY ($2)'
          USING step.held, statuses, cancel_runs.reason;
        GET DIAGNOSTICS rows = ROW_COUNT;
        changed := changed + rows;
    END LOOP;
    PERFORM dormouse.note_operation('cancel', NULL, jsonb_build_object('status', cancel_runs.status, 'task', cancel_runs.task, 'queue', cancel_runs.queue,
        'key', cancel_runs.key, 'error', cancel_runs.error, 'worker', cancel_runs.worker, 'older_than', cancel_runs.older_than), changed, cancel_runs.reason);
END $_$;

CREATE FUNCTION dormouse.canceled_by(reason text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT jsonb_build_object('class', 'canceled', 'message', 'canceled by ' || dormouse.who() || coalesce(': ' || cut.reason, ''))
      FROM (SELECT CASE WHEN octet_length($1) <= 8192 THEN $1 ELSE left($1, 2000) || ' (cut, of ' || octet_length($1) || ' bytes)' END) cut (reason)
$_$;

CREATE FUNCTION dormouse.channel(topic text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RETURN 'dormouse:' || left(encode(sha256(convert_to(coalesce((SELECT min(k.key::text) FROM dormouse.channel_key k), '') || topic, 'UTF8')), 'hex'), 32);
END $$;

CREATE FUNCTION dormouse.check_key(task text, key text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF octet_length(task) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'dormouse.runs: task has % bytes, expected 1 to 200', octet_length(task) USING ERRCODE = 'check_violation';
    ELSIF octet_length(key) NOT BETWEEN 1 AND 500 THEN
        RAISE EXCEPTION 'dormouse.runs: key has % bytes, expected 1 to 500', octet_length(key) USING ERRCODE = 'check_violation';
    END IF;
END $$;

CREATE FUNCTION dormouse.check_numbers(priority integer, max_attempts integer, timeout interval) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF priority NOT BETWEEN -100 AND 100 THEN
        RAISE EXCEPTION 'dormouse.runs: priority is %, expected -100 to 100', priority
            USING ERRCODE = 'check_violation', HINT = 'Smaller is sooner; 0 is ordinary.';
    ELSIF max_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'dormouse.runs: max_attempts is %, expected 1 to 1000', max_attempts USING ERRCODE = 'check_violation';
    ELSIF NOT isfinite(timeout) OR extract(epoch FROM timeout) < 0 THEN  -- a longer one than 10 years is taken as that; infinity is there from 17 on
        RAISE EXCEPTION 'dormouse.runs: timeout is %, expected 0 to 10 years', timeout USING ERRCODE = 'check_violation';
    END IF;
END $$;

CREATE FUNCTION dormouse.check_values() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

CREATE FUNCTION dormouse.count_endings(tasks text[], statuses text[]) RETURNS void
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10ms'
    AS $$
DECLARE
    moment CONSTANT timestamptz := date_bin('10 seconds', now(), 'epoch');
BEGIN
    WITH ended AS (
        SELECT r.task, count(*) FILTER (WHERE r.status = 'completed') AS completed, count(*) FILTER (WHERE r.status = 'failed') AS failed,
               count(*) FILTER (WHERE r.status = 'canceled') AS canceled
          FROM unnest(count_endings.tasks, count_endings.statuses) r (task, status) GROUP BY r.task
    ), counted AS (
        UPDATE dormouse.endings e
           SET completed = e.completed + n.completed, failed = e.failed + n.failed, canceled = e.canceled + n.canceled
          FROM ended n WHERE e.since = moment AND e.session = pg_backend_pid() AND e.task = n.task
        RETURNING e.task
    )
    INSERT INTO dormouse.endings (since, session, task, completed, failed, canceled)
    SELECT moment, pg_backend_pid(), n.task, n.completed, n.failed, n.canceled FROM ended n WHERE n.task NOT IN (SELECT c.task FROM counted c);
EXCEPTION WHEN OTHERS THEN
    NULL;
END $$;

CREATE FUNCTION dormouse.delete_old(part regclass, age name, before timestamp with time zone, passed bigint, OUT deleted bigint, OUT stays bigint, OUT more boolean, OUT refusal text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    id_of   CONSTANT text := CASE age WHEN 'finished_at' THEN 'id' ELSE 'run_id' END;
    deletes CONSTANT text := format(CASE age WHEN 'finished_at' THEN
        'WITH gone AS (
             DELETE FROM %s WHERE ctid = ANY ($1)
             RETURNING id, task, key
         ), forgotten AS (
             DELETE FROM dormouse.keys k USING gone g
              WHERE k.task = g.task AND k.key = g.key AND k.run_id = g.id
                AND NOT EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = g.id OFFSET 0)
         )
         SELECT count(*) FROM gone' ELSE 'WITH gone AS (DELETE FROM %s WHERE ctid = ANY ($1) RETURNING 1) SELECT count(*) FROM gone' END, part);
    places  CONSTANT tid[] := dormouse.lock_old(part, age, before, passed);
    started CONSTANT timestamptz := clock_timestamp();
    at      integer := 1;
    size    integer := cardinality(places);
    count   bigint;
    what    text;
    context text;
BEGIN
    deleted := 0;
    more := size = 1000;
    WHILE at <= cardinality(places) LOOP
        size := least(size, cardinality(places) - at + 1);
        BEGIN
            EXECUTE deletes INTO count USING places[at : at + size - 1];
            what := CASE WHEN count < size THEN 'a trigger keeps it, without an error (BEFORE DELETE, RETURN NULL)' END;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
            IF dormouse.is_of_the_server(SQLSTATE, context) THEN
                RAISE;
            ELSIF size > 1 THEN
                size := size / 2;
                CONTINUE;
            END IF;
            count := 0;
            what := SQLERRM || ' (' || SQLSTATE || ')';
        END;
        IF what IS NOT NULL AND refusal IS NULL THEN
            EXECUTE format('SELECT ''run '' || %I || '': '' || $2 FROM %s WHERE ctid = ANY ($1) LIMIT 1', id_of, part)
               INTO refusal USING places[at : at + size - 1], what;
        END IF;
        IF count < size AND before IS NULL THEN
            EXECUTE format('UPDATE %s SET key = NULL WHERE ctid = ANY ($1)', part) USING places[at : at + size - 1];
            GET DIAGNOSTICS count = ROW_COUNT;
        END IF;
        deleted := deleted + count;
        at := at + size;
        size := CASE WHEN count = 0 THEN 1 ELSE size * 2 END;
        IF refusal IS NOT NULL AND clock_timestamp() > started + interval '100 ms' THEN
            more := true;
            EXIT;
        END IF;
    END LOOP;
    stays := at - 1 - deleted;
END $_$;

CREATE FUNCTION dormouse.drop_partition(part regclass, of_runs boolean) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    its_name CONSTANT text := part;  -- while it has one
    deleted bigint := 0;
    keyed   boolean := false;
BEGIN
    IF of_runs THEN
        deleted := (SELECT d.deleted FROM dormouse.delete_old(part, 'finished_at', NULL, 0) d);
    END IF;
    IF deleted > 0 THEN
        RETURN 'deleted ' || deleted || ' runs with keys from ' || part;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', part);
    IF of_runs THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE key IS NOT NULL)', part) INTO keyed;
    END IF;
    IF keyed THEN
        RAISE lock_not_available;  -- somebody had them locked
    END IF;
    EXECUTE format('DROP TABLE %s', part);
    RETURN 'dropped ' || its_name;
END $$;

CREATE FUNCTION dormouse.ended_now(worker uuid, ids uuid[]) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    moment CONSTANT timestamptz := now();  -- known when the plan is made, so that it has one day in it, however many are kept
BEGIN
    RETURN ARRAY(SELECT f.id || ' ' || f.last_fence FROM dormouse.runs_finished f
                  WHERE f.id = ANY (ended_now.ids) AND f.finished_at = moment AND f.worker = ended_now.worker
                    AND f.status IN ('completed', 'failed') AND f.xmin::text::bigint = txid_current() % 4294967296);
END $$;

CREATE FUNCTION dormouse.enqueue(task text, payload jsonb DEFAULT '{}'::jsonb, queue text DEFAULT 'default'::text, priority integer DEFAULT 0, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, delay interval DEFAULT NULL::interval, key text DEFAULT NULL::text, max_attempts integer DEFAULT NULL::integer, timeout interval DEFAULT NULL::interval, traceparent text DEFAULT NULL::text, watched boolean DEFAULT false) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    new_id uuid := dormouse.new_id();
    owner  uuid;
BEGIN
    IF enqueue.run_at IS NOT NULL AND enqueue.delay IS NOT NULL THEN
        RAISE EXCEPTION 'dormouse.enqueue: run_at and delay exclude each other'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the time, or the delay from now.';
    END IF;
    IF enqueue.priority NOT BETWEEN -100 AND 100 OR enqueue.max_attempts NOT BETWEEN 1 AND 1000 OR enqueue.timeout IS NOT NULL THEN
        PERFORM dormouse.check_numbers(enqueue.priority, enqueue.max_attempts, enqueue.timeout);
    END IF;
    IF enqueue.key IS NOT NULL THEN
        owner := dormouse.take_key(enqueue.task, enqueue.key, new_id);
        IF owner <> new_id THEN
            IF enqueue.watched THEN
                PERFORM dormouse.watch(owner);  -- whoever waits for it now is told, too
            END IF;
            RETURN owner;
        END IF;
    END IF;
    INSERT INTO dormouse.runs (id, queue, task, payload, priority, run_at, key, max_attempts, timeout_ms, traceparent, watched)
    VALUES (new_id, coalesce(enqueue.queue, 'default'), enqueue.task, coalesce(enqueue.payload, 'null'),
            coalesce(enqueue.priority, 0), coalesce(enqueue.run_at, now() + enqueue.delay, now()), enqueue.key,
            enqueue.max_attempts, (extract(epoch FROM enqueue.timeout) * 1000)::bigint, enqueue.traceparent,
            coalesce(enqueue.watched, false));
    RETURN new_id;
END $$;

CREATE FUNCTION dormouse.enqueue_many(task text, payloads jsonb[], queue text DEFAULT 'default'::text, priority integer DEFAULT 0, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, delay interval DEFAULT NULL::interval, keys text[] DEFAULT NULL::text[], max_attempts integer DEFAULT NULL::integer, timeout interval DEFAULT NULL::interval) RETURNS SETOF uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    due        timestamptz := coalesce(enqueue_many.run_at, now() + enqueue_many.delay, now());
    timeout_ms bigint;
    ids        uuid[];
    owners     uuid[];
    odd        record;
BEGIN
    IF enqueue_many.run_at IS NOT NULL AND enqueue_many.delay IS NOT NULL THEN
        RAISE EXCEPTION 'dormouse.enqueue_many: run_at and delay exclude each other'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the time, or the delay from now.';
    END IF;
    PERFORM dormouse.check_numbers(enqueue_many.priority, enqueue_many.max_attempts, enqueue_many.timeout);
    timeout_ms := (extract(epoch FROM enqueue_many.timeout) * 1000)::bigint;
    IF enqueue_many.keys IS NULL THEN
        RETURN QUERY INSERT INTO dormouse.runs (queue, task, payload, priority, run_at, max_attempts, timeout_ms)
            SELECT coalesce(enqueue_many.queue, 'default'), enqueue_many.task, coalesce(p.payload, 'null'),
                   coalesce(enqueue_many.priority, 0), due, enqueue_many.max_attempts, timeout_ms
              FROM unnest(enqueue_many.payloads) WITH ORDINALITY p (payload, n) ORDER BY p.n
            RETURNING id;
        RETURN;
    END IF;
    IF cardinality(enqueue_many.keys) IS DISTINCT FROM cardinality(enqueue_many.payloads) THEN
        RAISE EXCEPTION 'dormouse.enqueue_many: % payloads and % keys', coalesce(cardinality(enqueue_many.payloads), 0),
            cardinality(enqueue_many.keys)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give one key (or null) for each payload.';
    END IF;
    PERFORM dormouse.check_key(enqueue_many.task, (SELECT k FROM unnest(enqueue_many.keys) k WHERE k IS NOT NULL
                                                    ORDER BY octet_length(k) BETWEEN 1 AND 500 LIMIT 1));
    ids := ARRAY(SELECT dormouse.new_id() FROM generate_series(1, cardinality(enqueue_many.payloads)));
    -- in the order of the keys, so that two callers with the same keys cannot block each other
    INSERT INTO dormouse.keys (task, key, run_id)
        SELECT enqueue_many.task, i.key, i.id FROM unnest(enqueue_many.keys, ids) i (key, id)
         WHERE i.key IS NOT NULL ORDER BY i.key, i.id
        ON CONFLICT DO NOTHING;
    owners := dormouse.key_owners(enqueue_many.task, enqueue_many.keys);
    INSERT INTO dormouse.runs (id, queue, task, payload, priority, run_at, key, max_attempts, timeout_ms)
        SELECT i.id, coalesce(enqueue_many.queue, 'default'), enqueue_many.task, coalesce(i.payload, 'null'),
               coalesce(enqueue_many.priority, 0), due, i.key, enqueue_many.max_attempts, timeout_ms
          FROM unnest(enqueue_many.payloads, enqueue_many.keys, ids, owners) WITH ORDINALITY i (payload, key, id, owner, n)
         WHERE i.key IS NULL OR i.owner = i.id
         ORDER BY i.n;
    -- keys that have been dropped meanwhile, or whose run is not there
    FOR odd IN
        SELECT i.* FROM unnest(enqueue_many.payloads, enqueue_many.keys, ids, owners) WITH ORDINALITY i (payload, key, id, owner, n)
         WHERE i.key IS NOT NULL AND i.owner IS DISTINCT FROM i.id
           AND (i.owner IS NULL OR NOT dormouse.run_exists(i.owner))
         ORDER BY i.key, i.id
    LOOP
        owners[odd.n] := dormouse.take_key(enqueue_many.task, odd.key, odd.id);
        INSERT INTO dormouse.runs (id, queue, task, payload, priority, run_at, key, max_attempts, timeout_ms)
            SELECT odd.id, coalesce(enqueue_many.queue, 'default'), enqueue_many.task,
                   coalesce(odd.payload, 'null'), coalesce(enqueue_many.priority, 0), due, odd.key,
                   enqueue_many.max_attempts, timeout_ms
             WHERE owners[odd.n] = odd.id;
    END LOOP;
    RETURN QUERY SELECT coalesce(i.owner, i.id) FROM unnest(ids, owners) WITH ORDINALITY i (id, owner, n) ORDER BY i.n;
END $$;

CREATE FUNCTION dormouse.enqueue_next(worker uuid, ids uuid[], fences bigint[], runs text[]) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
    members CONSTANT text[] := ARRAY['task', 'payload', 'queue', 'priority', 'run_at', 'delay', 'key', 'max_attempts', 'timeout',
                                     'traceparent', 'watched'];
    place text;
    list  jsonb;
    run   jsonb;
    odd   text;
    queues text[] := '{}';
    context text;
    fresh text[];
BEGIN
    fresh := dormouse.ended_now(enqueue_next.worker, enqueue_next.ids);
    FOR i IN 1 .. coalesce(cardinality(enqueue_next.ids), 0) LOOP
        CONTINUE WHEN enqueue_next.ids[i] || ' ' || enqueue_next.fences[i] <> ALL (fresh);
        place := 'follow-ups of run ' || enqueue_next.ids[i];
        list := enqueue_next.runs[i]::jsonb;
        IF jsonb_typeof(list) <> 'array' THEN
            RAISE EXCEPTION 'expected an array of runs, found %', jsonb_typeof(list) USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF jsonb_array_length(list) > 1000 THEN
            RAISE EXCEPTION '% runs, expected at most 1000', jsonb_array_length(list)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Enqueue one that enqueues the others, or call enqueue_many().';
        END IF;
        FOR n IN 1 .. jsonb_array_length(list) LOOP
            place := 'follow-up ' || n || ' of run ' || enqueue_next.ids[i];
            run := list -> (n - 1);
            IF jsonb_typeof(run) <> 'object' THEN
                RAISE EXCEPTION 'expected an object, found %', jsonb_typeof(run) USING ERRCODE = 'invalid_parameter_value';
            END IF;
            odd := (SELECT m.name FROM jsonb_object_keys(run) m (name) WHERE m.name <> ALL (members) ORDER BY m.name LIMIT 1);
            IF odd IS NOT NULL THEN
                RAISE EXCEPTION 'unknown member "%", expected one of %', odd, array_to_string(members, ', ')
                    USING ERRCODE = 'invalid_parameter_value';
            ELSIF run ->> 'task' IS NULL THEN
                RAISE EXCEPTION 'there is no task' USING ERRCODE = 'invalid_parameter_value';
            END IF;
            place := place || ' (task "' || left(run ->> 'task', 200) || '")';
            PERFORM dormouse.enqueue(run ->> 'task', coalesce(run -> 'payload', '{}'), coalesce(run ->> 'queue', 'default'),
                                     coalesce((run ->> 'priority')::integer, 0), (run ->> 'run_at')::timestamptz,
                                     (run ->> 'delay')::interval, run ->> 'key', (run ->> 'max_attempts')::integer,
                                     (run ->> 'timeout')::interval, run ->> 'traceparent',
                                     coalesce((run ->> 'watched')::boolean, false));
            IF coalesce(run ->> 'queue', 'default') <> ALL (queues) THEN
                queues := queues || coalesce(run ->> 'queue', 'default');
            END IF;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT unnest(queues);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
    RAISE EXCEPTION '%: %', place, SQLERRM
        USING ERRCODE = CASE WHEN dormouse.is_of_the_server(SQLSTATE, context) THEN SQLSTATE ELSE '22023' END;
END $$;

CREATE FUNCTION dormouse.finished_at(id uuid) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
#variable_conflict use_variable
DECLARE
    since timestamptz;
    until timestamptz;
    last  timestamptz;
    stray timestamptz;
BEGIN
    SELECT w.since, w.until INTO since, until FROM dormouse.finishes_within(finished_at.id) w;
    -- not by finished_at itself, of which the default partition has an index
    SELECT f.finished_at INTO last FROM dormouse.runs_finished f
     WHERE f.id = finished_at.id AND f.finished_at >= since AND f.finished_at < until
     ORDER BY f.finished_at + interval '0' DESC LIMIT 1;
    FOR stray IN SELECT DISTINCT s.finished_at FROM dormouse.strays s WHERE s.id = finished_at.id ORDER BY s.finished_at DESC LOOP
        EXIT WHEN stray < last;
        IF EXISTS (SELECT FROM dormouse.runs_finished f WHERE f.id = finished_at.id AND f.finished_at = stray) THEN
            RETURN stray;
        END IF;
    END LOOP;
    RETURN last;
END $$;

CREATE FUNCTION dormouse.finishes_within(id uuid, OUT since timestamp with time zone, OUT until timestamp with time zone) RETURNS record
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    made CONSTANT float8 := ('x' || left(translate(id::text, '-', ''), 12))::bit(48)::bigint / 1000::float8;
BEGIN
    since := to_timestamp(made - 7200::float8);
    until := to_timestamp(made + 133200::float8);
END $$;

CREATE FUNCTION dormouse.forget_imports() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    DELETE FROM dormouse.imports i WHERE i.imported_at < now() - interval '30 days';
END $$;

CREATE FUNCTION dormouse.forget_workers(pool text, worker uuid, OUT workers bigint, OUT pools bigint, OUT refused text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION dormouse.import_runs(ids uuid[], runs text[], queue text) RETURNS TABLE(id uuid, outcome text, reason text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '500ms'
    AS $$
#variable_conflict use_column
DECLARE
    run jsonb;
    context text;
BEGIN
    PERFORM dormouse.forget_imports();
    FOR n IN 1 .. coalesce(cardinality(import_runs.ids), 0) LOOP
        id := import_runs.ids[n];
        outcome := 'imported';
        reason := NULL;
        BEGIN
            run := import_runs.runs[n]::jsonb;
            INSERT INTO dormouse.imports (id) VALUES (import_runs.ids[n]) ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                outcome := 'known';
            ELSIF dormouse.finished_at(import_runs.ids[n]) IS NOT NULL THEN
                RAISE EXCEPTION 'a run of the id % has finished already', import_runs.ids[n] USING ERRCODE = 'unique_violation';
            ELSIF run ->> 'key' IS NOT NULL
                  AND dormouse.take_key(run ->> 'task', run ->> 'key', import_runs.ids[n]) <> import_runs.ids[n] THEN
                outcome := 'known';
            ELSE
                PERFORM dormouse.check_numbers((run ->> 'priority')::integer, (run ->> 'max_attempts')::integer,
                                               (run ->> 'timeout')::interval);
                INSERT INTO dormouse.runs (id, queue, task, payload, priority, run_at, key, max_attempts, timeout_ms, traceparent)
                VALUES (import_runs.ids[n], coalesce(run ->> 'queue', import_runs.queue), run ->> 'task',
                        coalesce(run -> 'payload', '{}'), coalesce((run ->> 'priority')::smallint, 0),
                        coalesce((run ->> 'run_at')::timestamptz, now()), run ->> 'key', (run ->> 'max_attempts')::smallint,
                        (extract(epoch FROM (run ->> 'timeout')::interval) * 1000)::bigint, run ->> 'traceparent');
            END IF;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
            IF dormouse.is_of_the_server(SQLSTATE, context) THEN
                RAISE EXCEPTION 'spooled run %: %', import_runs.ids[n], SQLERRM USING ERRCODE = SQLSTATE;
            END IF;
            outcome := 'refused';
            reason := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END $$;

CREATE FUNCTION dormouse.is_of_the_server(sqlstate text, context text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
    SELECT (left($1, 2) = '40' OR $1 = '55P03'
            OR (left($1, 2) IN ('53', '58') OR $1 = '25006')
               AND (NOT EXISTS (SELECT FROM unnest(string_to_array($2, chr(10))) l (line) WHERE l.line ~ 'PL/' AND l.line !~ ' dormouse[.]')
                    OR $1 IN ('53100', '53200') AND $2 !~ 'remote SQL command|dblink connection'))
           AND split_part($2, chr(10), 1) !~ '[[:<:]]RAISE[[:>:]]'
$_$;

CREATE FUNCTION dormouse.kept_out() RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'a trigger keeps the run out of dormouse.runs_finished, where it goes when it has ended (BEFORE INSERT, RETURN NULL); dormouse doctor names the trigger';
END $$;

CREATE FUNCTION dormouse.key_owners(task text, keys text[]) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
BEGIN
    RETURN ARRAY(SELECT (SELECT k.run_id FROM dormouse.keys k WHERE k.task = key_owners.task AND k.key = i.key)
                   FROM unnest(key_owners.keys) WITH ORDINALITY i (key, n) ORDER BY i.n);
END $$;

CREATE FUNCTION dormouse.levels(queue text, known text[], passed_over uuid[], OUT task text, OUT task_no integer, OUT nth integer, OUT priority smallint, OUT run_at timestamp with time zone, OUT id uuid) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
<<here>>
DECLARE
    next_task text := known[1];
    next_priority integer := -32768;
BEGIN
    task_no := 1;
    nth := 0;
    WHILE next_task IS NOT NULL LOOP
        SELECT l.task, l.priority, l.run_at, l.id INTO task, priority, run_at, id
          FROM dormouse.runs_live l
         WHERE l.queue = levels.queue AND l.status IN ('queued', 'retry') AND (l.task, l.priority) >= (here.next_task, here.next_priority)
           AND l.id <> ALL (levels.passed_over)
         ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF task <> known[task_no] THEN
            task_no := CASE task WHEN known[task_no + 1] THEN task_no + 1 ELSE width_bucket(task COLLATE "C", known) END;
            nth := 0;
        END IF;
        IF task = known[task_no] THEN
            nth := nth + (run_at <= now())::integer;
            RETURN NEXT;
            next_task := task;
            next_priority := priority + 1;
        ELSE
            next_task := known[task_no + 1];
            next_priority := -32768;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION dormouse.listen(topics text[]) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    channels text[];
    one text;
BEGIN
    FOREACH one IN ARRAY topics LOOP
        channels := channels || dormouse.channel(one);
        EXECUTE format('LISTEN %I', dormouse.channel(one));
    END LOOP;
    RETURN channels;
END $$;

CREATE FUNCTION dormouse.listens(queue text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    listening CONSTANT bigint := hashtextextended(queue, 1685024366);
BEGIN
    PERFORM set_config('dormouse.notify', 'always', false);
    IF NOT EXISTS (SELECT FROM generate_series(1, 100) WHERE pg_try_advisory_lock_shared(listening)) THEN
        RAISE EXCEPTION 'dormouse.listens: queue "%" is kept from registering by %', queue,
            coalesce((SELECT string_agg(format('%s (pid %s)', (SELECT a.usesysid::regrole FROM pg_stat_get_activity(l.pid) a), l.pid), ', ')
                        FROM pg_locks l
                       WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.mode = 'ExclusiveLock'
                         AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                         AND ((l.classid::bigint << 32) | l.objid::bigint) = listening), 'somebody who has gone meanwhile')
            USING ERRCODE = 'lock_not_available', HINT = 'Nobody should hold this advisory lock: end that session, or try again later.';
    END IF;
    RETURN (dormouse.listen(ARRAY['queue:' || queue]))[1];
END $$;

CREATE FUNCTION dormouse.lock_matching(statuses text[], task text, queue text, older_than interval, created_before timestamp with time zone, after text, max_runs integer, key text, error text, worker uuid) RETURNS TABLE(held uuid[], locked integer, since timestamp with time zone, until timestamp with time zone, next text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    AS $_$
#variable_conflict use_variable
DECLARE
    first   CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    before  CONSTANT timestamptz := coalesce(least(lock_matching.created_before, now() - lock_matching.older_than), 'infinity');
    begin_at CONSTANT text := coalesce(split_part(lock_matching.after, ' ', 1), 'live');
    place   record;
    one     record;
    here    text[];
    found_ids uuid[];
    walked  integer := 0;
    number  integer := 0;
    last    uuid;
BEGIN
    PERFORM set_config('dormouse.session', '', true);  -- as dormouse.lock_run()
    IF lock_matching.max_runs IS NULL OR lock_matching.max_runs NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'dormouse: max_runs is %, expected 1 to 100000', lock_matching.max_runs USING ERRCODE = 'invalid_parameter_value';
    ELSIF NOT isfinite(lock_matching.older_than) THEN
        RAISE EXCEPTION 'dormouse: older_than is %, expected a time that ends', lock_matching.older_than
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF lock_matching.after !~ '^(live|default|-infinity|[0-9T:.-]{19,40}) [0-9a-f-]{36}$' THEN
        RAISE EXCEPTION 'dormouse: after is "%", expected what an earlier call returned as next', lock_matching.after
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR place IN
        SELECT p.name, p.part, p.statuses
          FROM (SELECT 'live', 'dormouse.runs_live'::regclass, '{queued,running,retry,blocked}'::text[]
                UNION ALL
                SELECT CASE WHEN f.is_default THEN 'default' WHEN f.since = '-infinity' THEN '-infinity' ELSE to_char(f.since, 'YYYY-MM-DD"T"HH24:MI:SS.US') END, f.part,
                       '{completed,failed,canceled}'
                  FROM dormouse.partitions_of('dormouse.runs_finished') f) p (name, part, statuses)
         WHERE p.statuses && lock_matching.statuses AND p.name COLLATE "C" <= begin_at
           AND pg_relation_size(p.part) > 0  -- the days to come are not even planned
         ORDER BY p.name COLLATE "C" DESC
    LOOP
        here := ARRAY(SELECT s FROM unnest(place.statuses) s WHERE s = ANY (lock_matching.statuses));
        last := CASE WHEN place.name = begin_at AND lock_matching.after IS NOT NULL THEN split_part(lock_matching.after, ' ', 2)::uuid ELSE first END;
        found_ids := '{}';
        walked := walked + 300;
        FOR one IN EXECUTE format(
            'SELECT r.id, r.archived_at IS NULL AND r.created_at < $2 AND ($3 IS NULL OR r.task = $3) AND ($4 IS NULL OR r.queue = $4)
                    AND ($6 IS NULL OR r.key = $6) AND ($8 IS NULL OR r.worker = $8)
                    AND ($7 IS NULL OR strpos(concat(r.error ->> ''class'', '': '', r.error ->> ''message''), $7) > 0) AS meant
               FROM %s r WHERE %s AND r.id > $5 ORDER BY r.id', place.part,
            CASE cardinality(here) WHEN 1 THEN 'r.status = $1[1]' ELSE 'r.status = ANY ($1)' END)
            USING here, before, lock_matching.task, lock_matching.queue, last, lock_matching.key, lock_matching.error, lock_matching.worker
        LOOP
            walked := walked + 1;
            last := one.id;
            IF one.meant THEN
                number := number + 1;
                found_ids := found_ids || last;
            END IF;
            EXIT WHEN number >= lock_matching.max_runs OR walked >= 10000;
        END LOOP;
        IF found_ids <> '{}' THEN
            walked := walked + 2300;
            -- what finished or was taken meanwhile is neither ours nor locked
            EXECUTE format(
                'SELECT h.held, h.since, h.until,
                        CASE WHEN cardinality(h.held) = cardinality($1) THEN 0
                             ELSE (SELECT count(*) FROM %1$s r
                                    WHERE r.id = ANY ($1) AND r.id <> ALL (h.held) AND r.status || '''' = ANY ($2) AND r.archived_at IS NULL) END
                   FROM (SELECT coalesce(array_agg(l.id ORDER BY l.id), ''{}'') AS held, min(l.finished_at) AS since, max(l.finished_at) AS until
                           FROM (SELECT r.id, r.finished_at FROM %1$s r
                                  WHERE r.id = ANY ($1) AND r.status || '''' = ANY ($2) AND r.archived_at IS NULL
                                    FOR UPDATE SKIP LOCKED) l) h', place.part)
               INTO held, since, until, locked USING found_ids, here;
            RETURN NEXT;
        END IF;
        IF number >= lock_matching.max_runs OR walked >= 10000 THEN
            held := '{}';
            locked := 0;
            next := place.name || ' ' || last;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END $_$;

CREATE FUNCTION dormouse.lock_old(part regclass, age name, before timestamp with time zone, passed bigint) RETURNS tid[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $_$
DECLARE
    locked tid[];
    old    CONSTANT text := CASE WHEN before IS NULL THEN 'key IS NOT NULL ORDER BY id' ELSE format('%I < $1 ORDER BY %1$I', age) END;
BEGIN
    IF (SELECT c.relkind = 'p' FROM pg_class c WHERE c.oid = part) THEN  -- a ctid may be that of a young row in another of its parts
        RAISE EXCEPTION '% is a partitioned table itself: no row of it is deleted; make it a plain table', part USING ERRCODE = 'wrong_object_type';
    END IF;
    EXECUTE CASE WHEN passed = 0 THEN format('SELECT ARRAY(SELECT ctid FROM %s WHERE %s LIMIT 1000 FOR UPDATE SKIP LOCKED)', part, old)
                 ELSE format('SELECT ARRAY(SELECT ctid FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE %s OFFSET $2 LIMIT 1000))
                                             FOR UPDATE SKIP LOCKED)', part, old) END
       INTO locked USING before, passed;  -- not as text, in which CST is a zone of America and of China
    RETURN locked;
END $_$;

CREATE FUNCTION dormouse.lock_run(id uuid, OUT problem text, OUT status text, OUT finished_at timestamp with time zone, OUT archived_at timestamp with time zone, OUT run_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $_$
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
END $_$;

CREATE TABLE dormouse.run_logs (
    run_id uuid NOT NULL,
    worker uuid NOT NULL,
    fence bigint NOT NULL,
    first_line integer NOT NULL,
    written_at timestamp with time zone DEFAULT now() NOT NULL,
    lines json NOT NULL
)
PARTITION BY RANGE (written_at);

COMMENT ON TABLE dormouse.run_logs IS 'Log lines of handlers, in batches; dormouse.logs shows them line by line.';

COMMENT ON COLUMN dormouse.run_logs.first_line IS 'The number of the first of these lines within its attempt, from 1.';

CREATE VIEW dormouse.logs AS
 SELECT b.run_id,
    a.attempt,
    (((b.first_line + l.n) - 1))::integer AS line,
    to_timestamp((((((l.said ->> 0))::bigint)::numeric / 1000.0))::double precision) AS said_at,
    (l.said ->> 1) AS level,
    (l.said ->> 2) AS text,
    b.worker,
    b.fence
   FROM ((dormouse.run_logs b
     LEFT JOIN dormouse.attempts a ON (((a.run_id = b.run_id) AND (a.fence = b.fence) AND (a.worker = b.worker))))
     CROSS JOIN LATERAL json_array_elements(b.lines) WITH ORDINALITY l(said, n));

COMMENT ON VIEW dormouse.logs IS 'The log lines of handlers; times are by their worker''s clock. Filter by run_id; order by attempt, line.';

CREATE FUNCTION dormouse.logs_of(id uuid) RETURNS SETOF dormouse.logs
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
#variable_conflict use_variable
DECLARE
    run   dormouse.runs;
    since timestamptz;
    until timestamptz;
BEGIN
    SELECT r.* INTO run FROM dormouse.run(logs_of.id) r;
    SELECT least(w.since, run.created_at), coalesce(run.finished_at + interval '2 days', 'infinity') INTO since, until
      FROM dormouse.finishes_within(logs_of.id) w;
    RETURN QUERY
        SELECT b.run_id, a.attempt, (b.first_line + l.n - 1)::integer, to_timestamp((l.said ->> 0)::bigint / 1000.0), l.said ->> 1, l.said ->> 2,
               b.worker, b.fence
          FROM dormouse.run_logs b
          LEFT JOIN dormouse.attempts_of(logs_of.id) a ON a.fence = b.fence AND a.worker = b.worker
         CROSS JOIN LATERAL json_array_elements(b.lines) WITH ORDINALITY l (said, n)
         WHERE b.run_id = logs_of.id AND b.written_at >= since AND b.written_at <= until;
END $$;

CREATE FUNCTION dormouse.make_default() RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    parent text;
    made   text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['runs_finished', 'attempt_log', 'run_logs'] LOOP
        IF NOT EXISTS (SELECT FROM dormouse.partitions_of(format('dormouse.%I', parent)::regclass) p WHERE p.is_default) THEN
            EXECUTE format('CREATE TABLE dormouse.%I PARTITION OF dormouse.%I DEFAULT', parent || '_default', parent);
            IF parent = 'runs_finished' THEN
                EXECUTE format('ALTER TABLE dormouse.%I REPLICA IDENTITY FULL', parent || '_default');
            END IF;
            made := concat_ws(', ', made, parent || '_default');
        END IF;
    END LOOP;
    RETURN made;
END $$;

CREATE FUNCTION dormouse.make_partition(parent regclass, age name, width text, ahead interval, most_bytes bigint DEFAULT 67108864) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $_$
DECLARE
    fallback CONSTANT regclass := (SELECT p.part FROM dormouse.partitions_of(parent) p WHERE p.is_default);
    newest_row CONSTANT text := format('SELECT max(%I) FROM %s WHERE %1$I >= $1 AND %1$I < $2', age, fallback);
    at      timestamptz := now();
    covered timestamptz;
    since   timestamptz;
    until   timestamptz;
    newest  timestamptz;
    made    text;
BEGIN
    LOOP
        IF at > now() + ahead THEN
            RETURN NULL;
        END IF;
        covered := (SELECT max(p.until) FROM dormouse.partitions_of(parent) p WHERE NOT p.is_default AND p.since <= at AND p.until > at);
        IF covered IS NOT NULL THEN
            at := covered;
            CONTINUE;
        END IF;
        since := greatest(date_trunc(width, at),
                          (SELECT max(p.until) FROM dormouse.partitions_of(parent) p WHERE NOT p.is_default AND p.until <= at));
        until := least(date_trunc(width, at) + ('1 ' || width)::interval,
                       (SELECT min(p.since) FROM dormouse.partitions_of(parent) p WHERE NOT p.is_default AND p.since > at));
        EXECUTE newest_row INTO newest USING since, until;
        since := greatest(since, newest + interval '1 microsecond');
        EXIT WHEN since < until;
        at := until;
    END LOOP;
    IF pg_relation_size(fallback) > most_bytes THEN
        RAISE EXCEPTION '% has % MiB, to be read while others wait', fallback, pg_relation_size(fallback) / 1048576
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('At a quiet time, as the owner of the schema: SELECT dormouse.make_partition(%L, %L, %L, %L, NULL)',
                                parent, age, width, ahead);
    END IF;
    made := (SELECT c.relname FROM pg_class c WHERE c.oid = parent)
            || to_char(since, CASE WHEN since = date_trunc('day', since) THEN '_YYYYMMDD' ELSE '_YYYYMMDD_HH24MISSUS' END);
    EXECUTE format('CREATE TABLE dormouse.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE)', made, parent);
    IF parent = 'dormouse.runs_finished'::regclass THEN
        EXECUTE format('ALTER TABLE dormouse.%I REPLICA IDENTITY FULL', made);  -- the others have a primary key
    END IF;
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent);  -- the order in which others take them
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', fallback);
    EXECUTE newest_row INTO newest USING since, until;  -- what came until we had the lock
    since := greatest(since, newest + interval '1 microsecond');
    IF since >= until THEN
        RAISE lock_not_available;
    END IF;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION dormouse.%I FOR VALUES FROM (%L) TO (%L)', parent, made, since, until);
    RETURN made;
END $_$;

CREATE FUNCTION dormouse.next_runs(queues text[], most integer, tasks text[], slots bigint[], passed_over uuid[], locking boolean) RETURNS tid[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
<<here>>
DECLARE
    at_once CONSTANT integer := 256;
    all_known text[];
    all_room integer[];       -- of all_known[i]
    parts integer;            -- of all_known, of at_once each
    lot integer;
    place integer;            -- in front of the part that is looked at now
    known text[];             -- its tasks
    room integer[];           -- of known[i]
    missing integer := most;
    taken tid[] := '{}';
    got tid[];
    lane text;
    levels integer;           -- the (task, priority) of this queue whose first run is due, with that run, as arrays
    level_task text[];
    level_task_no integer[];
    level_priority smallint[];
    level_run_at timestamptz[];
    level_id uuid[];
    merged integer;           -- so many of them, which are in front, can have one of the next runs
    shares integer[];         -- how many each of these has
    depths integer[];         -- and how far it was looked for
    deeper boolean;
    wanted integer;
    short boolean;
BEGIN
    SELECT array_agg(k.task ORDER BY k.task COLLATE "C"), array_agg(least(k.slots, most) ORDER BY k.task COLLATE "C"), (count(*) + at_once - 1) / at_once
      INTO all_known, all_room, parts
      FROM unnest(tasks, slots) AS k (task, slots) WHERE k.slots > 0;
    lot := CASE WHEN parts > 1 THEN floor(random() * parts) ELSE 0 END;
    known := all_known;
    room := all_room;
    FOREACH lane IN ARRAY queues LOOP
        FOR part IN lot .. lot + parts - 1 LOOP
            EXIT WHEN missing <= 0;
            place := part % parts * at_once;
            IF parts > 1 THEN
                known := all_known[place + 1 : place + at_once];
                room := all_room[place + 1 : place + at_once];
            END IF;
            SELECT count(*), least(missing, count(*) FILTER (WHERE l.nth <= room[l.task_no])),
                   array_agg(l.task), array_agg(l.task_no), array_agg(l.priority), array_agg(l.run_at), array_agg(l.id)
              INTO levels, merged, level_task, level_task_no, level_priority, level_run_at, level_id
              FROM (SELECT * FROM dormouse.levels(lane, known, passed_over) l
                     WHERE l.run_at <= now() AND room[l.task_no] > 0
                     ORDER BY l.nth > room[l.task_no], l.priority, l.run_at, l.id) l;
            CONTINUE WHEN levels = 0;
            short := false;

            -- Merges the first runs of each level, then more of those of which all are among the next ones. Each statement here sees what others have
            -- committed: a level may have nothing left.
            shares := ARRAY[least(missing, room[level_task_no[1]])];
            depths := array_fill(least(missing, 8 + 2 * missing / merged), ARRAY[merged]);
            deeper := merged > 1;
            WHILE deeper LOOP
                SELECT array_agg(coalesce(s.share, 0) ORDER BY level),
                       array_agg(CASE WHEN s.deeper THEN least(missing, 4 * s.depth) ELSE depths[level] END ORDER BY level),
                       coalesce(bool_or(s.deeper), false), bool_or(s.level IS NULL)
                  INTO shares, depths, deeper, short
                  FROM generate_series(1, merged) level LEFT JOIN (
                        SELECT r.level, r.depth, count(*) FILTER (WHERE r.fits AND r.place <= missing) AS share,
                               bool_or(r.fits AND r.place <= missing AND r.nth = r.depth AND r.depth < least(missing, room[r.task_no])) AS deeper
                          FROM (SELECT r.*, row_number() OVER (PARTITION BY r.fits ORDER BY r.priority, r.run_at, r.id) AS place
                                  FROM (SELECT l.level, l.task_no, l.priority, depths[l.level] AS depth, n.*,
                                               row_number() OVER (PARTITION BY l.task_no ORDER BY l.priority, n.run_at, n.id) <= room[l.task_no] AS fits
                                          FROM unnest(level_task[:merged], level_task_no, level_priority, level_run_at, level_id)
                                               WITH ORDINALITY AS l (task, task_no, priority, run_at, id, level)
                                         CROSS JOIN LATERAL (
                                               SELECT c.*, row_number() OVER () AS nth
                                                 FROM (SELECT r.run_at, r.id FROM dormouse.runs_live r
                                                        WHERE r.queue = here.lane AND r.status IN ('queued', 'retry') AND r.task = l.task
                                                          AND r.priority = l.priority AND (r.run_at, r.id) >= (l.run_at, l.id) AND r.run_at <= now()
                                                          AND r.id <> ALL (next_runs.passed_over)
                                                        ORDER BY r.run_at, r.id LIMIT here.depths[l.level]) c) n
                                         WHERE l.level <= merged) r) r
                         GROUP BY r.level, r.depth) s USING (level);
            END LOOP;

            <<trial>>
            FOR round IN 1 .. 2 LOOP  -- then, if others had locked or taken some of these, what is free in any level
                <<share>>
                FOR level IN 1 .. CASE round WHEN 1 THEN merged ELSE levels END LOOP
                    wanted := least(missing, room[level_task_no[level]], CASE round WHEN 1 THEN shares[level] ELSE missing END);
                    CONTINUE WHEN wanted <= 0;
                    IF locking THEN
                        got := ARRAY(SELECT r.ctid FROM dormouse.runs_live r
                                      WHERE r.queue = here.lane AND r.status IN ('queued', 'retry') AND r.task = here.level_task[share.level] AND r.priority = here.level_priority[share.level]
                                        AND (r.run_at, r.id) >= (here.level_run_at[share.level], here.level_id[share.level]) AND r.run_at <= now() AND r.id <> ALL (next_runs.passed_over)
                                        AND (trial.round = 1 OR r.ctid <> ALL (here.taken))
                                      ORDER BY r.run_at, r.id LIMIT here.wanted
                                        FOR UPDATE SKIP LOCKED);
                    ELSE
                        got := ARRAY(SELECT r.ctid FROM dormouse.runs_live r
                                      WHERE r.queue = here.lane AND r.status IN ('queued', 'retry') AND r.task = here.level_task[share.level] AND r.priority = here.level_priority[share.level]
                                        AND (r.run_at, r.id) >= (here.level_run_at[share.level], here.level_id[share.level]) AND r.run_at <= now() AND r.id <> ALL (next_runs.passed_over)
                                        AND (trial.round = 1 OR r.ctid <> ALL (here.taken))
                                      ORDER BY r.run_at, r.id LIMIT here.wanted);
                    END IF;
                    taken := taken || got;
                    missing := missing - cardinality(got);
                    room[level_task_no[level]] := room[level_task_no[level]] - cardinality(got);
                    short := short OR cardinality(got) < wanted;
                END LOOP;
                EXIT WHEN levels = 1 OR NOT short;
            END LOOP;
            IF parts > 1 THEN
                all_room[place + 1 : place + cardinality(room)] := room;
            END IF;
        END LOOP;
    END LOOP;
    RETURN taken;
END $$;

CREATE FUNCTION dormouse.nobody_listens(listening bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    FOR try IN 1..3 LOOP
        IF (CASE WHEN pg_catalog.pg_try_advisory_lock(listening) THEN pg_catalog.pg_advisory_unlock(listening) ELSE false END) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

CREATE FUNCTION dormouse.note_operation(operation text, run_id uuid, filter jsonb, runs integer, reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF note_operation.runs > 0 OR note_operation.operation = 'scale' THEN
        INSERT INTO dormouse.operations (operation, run_id, filter, runs, reason)
        VALUES (note_operation.operation, note_operation.run_id, jsonb_strip_nulls(note_operation.filter), note_operation.runs,
                left(note_operation.reason, 2000));
    END IF;
END $$;

CREATE FUNCTION dormouse.note_stray(id uuid, finished_at timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_variable
DECLARE
    usual record;
BEGIN
    SELECT * INTO usual FROM dormouse.finishes_within(id);
    IF finished_at < usual.since OR finished_at >= usual.until THEN
        INSERT INTO dormouse.strays VALUES (id, finished_at);
    END IF;
    RETURN false;
END $$;

CREATE FUNCTION dormouse.notify_queue(queue text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    mode CONSTANT pg_catalog.text := pg_catalog.current_setting('dormouse.notify', true);
BEGIN
    IF mode OPERATOR(pg_catalog.=) 'off' THEN
        RETURN;
    ELSIF mode OPERATOR(pg_catalog.=) 'always' THEN
        PERFORM pg_catalog.pg_notify(dormouse.channel('queue:' OPERATOR(pg_catalog.||) queue), '');
    ELSIF NOT dormouse.relies(queue, pg_catalog.hashtextextended(queue, 1685024366)) THEN
        PERFORM pg_catalog.pg_notify(dormouse.channel('queue:' OPERATOR(pg_catalog.||) queue), '');
    END IF;
END $$;

CREATE FUNCTION dormouse.notify_worker(worker uuid) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT pg_notify(dormouse.channel(('worker:'::text || (worker)::text)), ''::text) AS pg_notify;
END;

CREATE FUNCTION dormouse.own_key() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
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

CREATE FUNCTION dormouse.own_key_finished() RETURNS trigger
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
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

CREATE FUNCTION dormouse.partitions_of(parent regclass) RETURNS TABLE(part regclass, is_default boolean, since timestamp with time zone, until timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO'
    AS $_$
    SELECT c.oid::regclass, b.bound = 'DEFAULT',
           coalesce(substring(b.bound FROM 'FROM [(]''([^'']+)''[)]')::timestamptz, '-infinity'),
           coalesce(substring(b.bound FROM 'TO [(]''([^'']+)''[)]')::timestamptz, 'infinity')
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) b (bound)
     WHERE i.inhparent = $1
$_$;

CREATE FUNCTION dormouse.refuse_unknown_status() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION dormouse.release_worker(worker uuid, host text, pid integer, pid_start bigint, boot_id uuid, unseen boolean DEFAULT false, OUT released integer, OUT locked integer, OUT refused text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION dormouse.relies(queue text, listening bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    before CONSTANT pg_catalog.text := pg_catalog.current_setting('dormouse.relied', true);
BEGIN
    -- Where somebody is there the transaction takes nothing.
    IF NOT dormouse.nobody_listens(listening) THEN
        RETURN false;
    END IF;
    -- One that writes to thousands of queues must not fill the lock table.
    IF before OPERATOR(pg_catalog.=) '50' THEN
        RETURN false;
    END IF;
    PERFORM pg_catalog.set_config('dormouse.relied', (CASE WHEN before OPERATOR(pg_catalog.<>) '' THEN before::integer OPERATOR(pg_catalog.+) 1
                                                           ELSE 1 END)::pg_catalog.text, true);
    IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(pg_catalog.hashtextextended(queue, 1685024367)) THEN
        RETURN false;  -- somebody is going silent just now
    END IF;
    -- Again, since whoever registers after this will look for us, and who has done so before need not.
    RETURN dormouse.nobody_listens(listening);
END $$;

CREATE FUNCTION dormouse.result(id uuid) RETURNS TABLE(status text, result jsonb, error jsonb, attempts integer, finished_at timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
#variable_conflict use_variable
DECLARE
    last timestamptz;
BEGIN
    RETURN QUERY SELECT r.status, r.result, r.error, r.attempts::integer, r.finished_at
      FROM dormouse.runs_live r WHERE r.id = result.id;
    IF NOT FOUND THEN
        last := dormouse.finished_at(result.id);
        RETURN QUERY SELECT r.status, r.result, r.error, r.attempts::integer, r.finished_at
          FROM dormouse.runs_finished r WHERE r.id = result.id AND r.finished_at = last LIMIT 1;
    END IF;
END $$;

CREATE FUNCTION dormouse.retain(pool text, finished_ms bigint, worker_now timestamp with time zone, OUT did text, OUT trouble text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '50ms'
    AS $$
#variable_conflict use_column
DECLARE
    wanted_ms bigint;
    old       timestamptz;
    width     text;
    place     record;
    rows      record;
    stay      bigint;
    passed    bigint[];  -- rows that are not let go, of each table: behind them the next step goes on, until it has seen all
BEGIN
    BEGIN  -- by itself: it must be known, whatever stands in the way of the rest
        LOCK TABLE dormouse.retention IN SHARE UPDATE EXCLUSIVE MODE;
        INSERT INTO dormouse.retention AS r (pool, finished_ms) VALUES (retain.pool, retain.finished_ms)
            ON CONFLICT (pool) DO UPDATE SET finished_ms = EXCLUDED.finished_ms, said_at = now()
            WHERE r.finished_ms IS DISTINCT FROM EXCLUDED.finished_ms OR r.said_at < now() - interval '1 day';
    EXCEPTION WHEN lock_not_available THEN
        trouble := dormouse.retention_locked();
        RETURN;
    END;
    SELECT CASE WHEN bool_and(r.finished_ms IS NOT NULL) THEN max(r.finished_ms) END INTO wanted_ms FROM dormouse.retention r;
    old := least(now(), retain.worker_now) - wanted_ms * interval '1 ms';
    BEGIN
        PERFORM dormouse.sum_up_endings(old);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        NULL;  -- the next step will
    END;
    BEGIN
        DELETE FROM dormouse.pool_scale s WHERE s.until <= now() OR s.until IS NULL;
    EXCEPTION WHEN OTHERS THEN
        NULL;  -- it counts for nothing, wherever it is
    END;
    BEGIN
        DELETE FROM dormouse.operations o WHERE o.id IN (
            SELECT p.id FROM dormouse.operations p WHERE p.done_at < now() - interval '90 days' ORDER BY p.done_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
    EXCEPTION WHEN OTHERS THEN
        NULL;  -- the next step will
    END;
    -- so that there are not too many, however long they are kept
    width := CASE WHEN wanted_ms <= 100 * 86400000::bigint THEN 'day' WHEN wanted_ms <= 700 * 86400000::bigint THEN 'week' ELSE 'month' END;
    SELECT r.passed_over INTO passed FROM dormouse.retention r WHERE r.pool = retain.pool;
    FOR place IN
        SELECT step.name AS step, t.n, t.parent, t.fallback, t.age, old_ones.part,
               CASE WHEN t.age = 'finished_at' THEN width WHEN width = 'day' THEN 'week' ELSE 'month' END AS width
          FROM (VALUES (0, 'make default'), (1, 'make for now'), (2, 'drop'), (3, 'delete'), (4, 'make ahead')) step (n, name)
         CROSS JOIN (VALUES (1, 'dormouse.runs_finished'::regclass, 'dormouse.runs_finished_default', 'finished_at'),
                            (2, 'dormouse.attempt_log', 'dormouse.attempt_log_default', 'ended_at'),
                            (3, 'dormouse.run_logs', 'dormouse.run_logs_default', 'written_at')) t (n, parent, fallback, age)
          LEFT JOIN LATERAL (SELECT p.part, p.until FROM dormouse.partitions_of(t.parent) p WHERE NOT p.is_default AND p.until <= old) old_ones
            ON step.name = 'drop'
         WHERE (old IS NOT NULL OR step.name LIKE 'make%') AND (step.name <> 'drop' OR old_ones.part IS NOT NULL)
               AND (step.name <> 'make default' OR t.n = 1)
         ORDER BY step.n, t.n, old_ones.until
    LOOP
        BEGIN
            IF place.step = 'make default' THEN
                did := 'made ' || dormouse.make_default();
            ELSIF place.step = 'make for now' THEN
                did := 'made ' || dormouse.make_partition(place.parent, place.age, place.width, '0');
            ELSIF place.step = 'make ahead' THEN
                did := 'made ' || dormouse.make_partition(place.parent, place.age, place.width,
                                                          CASE place.width WHEN 'day' THEN '8 days' ELSE '2 ' || place.width END::interval);
            ELSIF place.step = 'drop' THEN
                did := dormouse.drop_partition(place.part, place.n = 1);
            ELSE
                rows := dormouse.delete_old(place.fallback::regclass, place.age, old, passed[place.n]);
                IF place.n = 1 THEN
                    DELETE FROM dormouse.strays s WHERE s.ctid = ANY (ARRAY(
                        SELECT o.ctid FROM dormouse.strays o WHERE o.finished_at < old ORDER BY o.finished_at LIMIT 1000 FOR UPDATE SKIP LOCKED));
                END IF;
                stay := passed[place.n] + rows.stays;
                passed[place.n] := CASE WHEN rows.more THEN stay ELSE 0 END;
                IF rows.refusal IS NOT NULL AND trouble IS NULL THEN
                    trouble := format('old rows stay in %s (%s), because a trigger of somebody''s does not let them go; the first: %s',
                                      place.fallback, stay, rows.refusal);
                ELSIF stay > 0 AND trouble IS NULL THEN  -- the last of several steps may have met none of them
                    trouble := (SELECT r.trouble FROM dormouse.retention r WHERE r.pool = retain.pool);
                END IF;
                did := CASE WHEN rows.deleted > 0 THEN 'deleted ' || rows.deleted || ' rows from ' || place.fallback
                            WHEN rows.more AND rows.stays > 0 THEN 'passed over ' || rows.stays || ' rows of ' || place.fallback END;
            END IF;
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                did := NULL;
                trouble := dormouse.retention_locked();
                EXIT;
            WHEN OTHERS THEN
                did := NULL;
                trouble := coalesce(trouble, SQLERRM);
        END;
        EXIT WHEN did IS NOT NULL;
    END LOOP;
    UPDATE dormouse.retention r
       SET trouble = coalesce(retain.trouble, CASE WHEN 0 < ANY (passed) THEN r.trouble END), passed_over = passed
     WHERE r.pool = retain.pool
       AND (r.passed_over <> passed OR r.trouble IS DISTINCT FROM coalesce(retain.trouble, CASE WHEN 0 < ANY (passed) THEN r.trouble END));
END $$;

CREATE FUNCTION dormouse.retention_locked() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT 'locked' || coalesce(' by ' || string_agg(DISTINCT h.who, ', '), '')
      FROM (SELECT CASE WHEN l.pid IS NULL THEN format('the prepared transaction %L', (  -- its id is locked by it, and by nobody else
                            SELECT p.gid FROM pg_locks t JOIN pg_prepared_xacts p ON p.transaction = t.transactionid
                             WHERE t.virtualtransaction = l.virtualtransaction AND t.locktype = 'transactionid' AND t.pid IS NULL))
                        ELSE format('%s (pid %s)', coalesce((SELECT a.usename FROM pg_stat_activity a WHERE a.pid = l.pid), '?'), l.pid) END
              FROM pg_locks l
             WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
               AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
               AND (l.relation = 'dormouse.retention'::regclass AND l.mode <> 'AccessShareLock'
                    OR l.relation IN (SELECT i.inhrelid FROM pg_inherits i
                                       WHERE i.inhparent IN ('dormouse.runs_finished'::regclass, 'dormouse.attempt_log'::regclass,
                                                             'dormouse.run_logs'::regclass)))
             ORDER BY l.pid LIMIT 5) h (who)
$$;

CREATE FUNCTION dormouse.retry(id uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

CREATE FUNCTION dormouse.retry_runs(status text DEFAULT NULL::text, task text DEFAULT NULL::text, queue text DEFAULT NULL::text, older_than interval DEFAULT NULL::interval, created_before timestamp with time zone DEFAULT NULL::timestamp with time zone, max_runs integer DEFAULT 200, after text DEFAULT NULL::text, key text DEFAULT NULL::text, error text DEFAULT NULL::text, worker uuid DEFAULT NULL::uuid, spacing interval DEFAULT '00:00:00'::interval, first_at timestamp with time zone DEFAULT now(), OUT changed integer, OUT locked integer, OUT refused integer, OUT next text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_variable
DECLARE
    statuses CONSTANT text[] := dormouse.statuses_meant('retry_runs', retry_runs.status,
                                    ARRAY['completed', 'failed', 'canceled', 'retry'], ARRAY['failed', 'retry'], retry_runs.task,
                                    retry_runs.queue, retry_runs.older_than::text, retry_runs.created_before::text, retry_runs.key, retry_runs.error,
                                    retry_runs.worker::text);
    step record;
    rows integer;
    latest timestamptz;
    due timestamptz := retry_runs.first_at;
BEGIN
    IF NOT isfinite(retry_runs.first_at) OR NOT isfinite(retry_runs.spacing) OR retry_runs.spacing < '0' THEN
        RAISE EXCEPTION 'dormouse.retry_runs: spacing and first_at are % and %, expected a length and a time that end', retry_runs.spacing, retry_runs.first_at
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    changed := 0;
    locked := 0;
    refused := 0;
    FOR step IN SELECT * FROM dormouse.lock_matching(statuses, retry_runs.task, retry_runs.queue, retry_runs.older_than, retry_runs.created_before,
                                                     retry_runs.after, retry_runs.max_runs, retry_runs.key, retry_runs.error, retry_runs.worker)
    LOOP
        locked := locked + step.locked;
        next := step.next;
        CONTINUE WHEN step.held = '{}';
        IF step.since IS NULL THEN
            EXECUTE 'UPDATE dormouse.runs r SET run_at = $3 + $4 * (array_position($1, r.id) - 1)
                      WHERE r.id = ANY ($1) AND r.status IN (''queued'', ''running'', ''retry'', ''blocked'') AND r.status || '''' = ANY ($2)'
              USING step.held, statuses, due, retry_runs.spacing;
        ELSE
            -- of an id that was used again the last run counts: where it is, if it is not a stray, dormouse.finishes_within() says
            latest := step.until;
            FOR n IN REVERSE cardinality(step.held) .. 1 LOOP  -- ids are in order, so the first time that is not to come is the latest
                SELECT greatest(step.until, w.until) INTO latest FROM dormouse.finishes_within(step.held[n]) w WHERE w.since <= now();
                EXIT WHEN FOUND;
                latest := step.until;
            END LOOP;
            EXECUTE 'UPDATE dormouse.runs r SET status = ''queued'', run_at = $6 + $7 * (array_position($1, r.id) - 1)
                      WHERE r.id = ANY ($1) AND r.status IN (''completed'', ''failed'', ''canceled'') AND r.status || '''' = ANY ($2)
                        AND (r.finished_at >= $3 AND r.finished_at < $4 OR r.finished_at = $4)
                        AND (r.key IS NULL OR NOT EXISTS (SELECT FROM dormouse.keys k WHERE k.task = r.task AND k.key = r.key AND k.run_id <> r.id))
                        AND NOT EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = r.id OFFSET 0)
                        AND NOT EXISTS (SELECT FROM dormouse.runs_finished o
                                         WHERE o.id = r.id AND o.finished_at > r.finished_at AND o.finished_at >= $3 AND o.finished_at < $5
                                         OFFSET 0)
                        AND (NOT EXISTS (SELECT FROM dormouse.strays s WHERE s.id = r.id AND s.finished_at - r.finished_at > ''0'')
                             OR dormouse.finished_at(r.id) = r.finished_at)'
              USING step.held, statuses, step.since, step.until, latest, due, retry_runs.spacing;
        END IF;
        GET DIAGNOSTICS rows = ROW_COUNT;
        changed := changed + rows;
        due := due + retry_runs.spacing * cardinality(step.held);
        refused := refused + cardinality(step.held) - rows;
    END LOOP;
    PERFORM dormouse.note_operation('retry', NULL, jsonb_build_object('status', retry_runs.status, 'task', retry_runs.task, 'queue', retry_runs.queue,
        'key', retry_runs.key, 'error', retry_runs.error, 'worker', retry_runs.worker, 'older_than', retry_runs.older_than), changed, NULL);
END $_$;

CREATE FUNCTION dormouse.run(id uuid) RETURNS SETOF dormouse.runs
    LANGUAGE plpgsql STABLE ROWS 1
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
#variable_conflict use_variable
DECLARE
    last timestamptz;
BEGIN
    RETURN QUERY SELECT r.* FROM dormouse.runs r
                  WHERE r.id = run.id AND r.status IN ('queued', 'running', 'retry', 'blocked');
    IF NOT FOUND THEN
        last := dormouse.finished_at(run.id);
        RETURN QUERY SELECT r.* FROM dormouse.runs r
                      WHERE r.id = run.id AND r.status IN ('completed', 'failed', 'canceled') AND r.finished_at = last LIMIT 1;
    END IF;
END $$;

CREATE FUNCTION dormouse.run_changes_status() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION dormouse.run_exists(id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = run_exists.id) OR dormouse.finished_at(run_exists.id) IS NOT NULL;
END $$;

CREATE FUNCTION dormouse.run_has_finished() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM dormouse.note_stray(NEW.id, NEW.finished_at);
    RETURN NULL;
END $$;

CREATE FUNCTION dormouse.run_is_taken_away() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION dormouse.runs_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- a key goes with its run. OFFSET 0: looked up by id, for each; as a join all of runs_live is read for each row, where statistics say that it is empty.
    DELETE FROM dormouse.keys k USING old_rows o
     WHERE o.key IS NOT NULL AND k.task = o.task AND k.key = o.key AND k.run_id = o.id
       AND NOT EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = o.id OFFSET 0);
    RETURN NULL;
END $$;

CREATE FUNCTION dormouse.runs_ended() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM dormouse.count_endings(array_agg(n.task), array_agg(n.status))
       FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.finished_at IS NOT NULL AND o.finished_at IS NULL;
    RETURN NULL;
END $$;

CREATE FUNCTION dormouse.runs_inserted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM dormouse.notify_queue(q.queue)
       FROM (SELECT DISTINCT n.queue FROM new_rows n WHERE n.status OPERATOR(pg_catalog.=) ANY ('{queued,retry}')) q;
    RETURN NULL;
END $$;

CREATE FUNCTION dormouse.runs_truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM dormouse.notify_worker(w.worker)
       FROM (SELECT DISTINCT l.worker FROM dormouse.runs_live l WHERE l.status = 'running') w;
    PERFORM pg_notify(dormouse.channel('done'), dormouse.told_as(l.id)) FROM dormouse.runs_live l WHERE l.watched;
    DELETE FROM dormouse.keys k USING dormouse.runs_live l WHERE k.task = l.task AND k.key = l.key AND k.run_id = l.id;
    RETURN NULL;
END $$;

CREATE FUNCTION dormouse.runs_updated() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION dormouse.scale(pool text, concurrency integer, lasting interval, reason text DEFAULT NULL::text, OUT changed boolean, OUT told bigint, OUT refused text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION dormouse.settings_are() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    settings pg_catalog.text[] := pg_catalog.string_to_array(
        CASE TG_ARGV[0] WHEN 'theirs' THEN pg_catalog.current_setting('dormouse.theirs') ELSE 'force_generic_plan off off off' END, ' ');
BEGIN
    PERFORM pg_catalog.set_config('plan_cache_mode', settings[1], true), pg_catalog.set_config('enable_seqscan', settings[2], true),
            pg_catalog.set_config('enable_bitmapscan', settings[3], true), pg_catalog.set_config('jit', settings[4], true);
    RETURN NULL;
END $$;

CREATE FUNCTION dormouse.statuses_meant(operation text, status text, known text[], otherwise text[], VARIADIC filter text[]) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    asked CONSTANT text[] := string_to_array(status, ',');
    stranger text;
BEGIN
    SELECT a.status INTO stranger FROM unnest(asked) a (status) WHERE a.status <> ALL (known);
    IF FOUND OR asked = '{}' THEN
        RAISE EXCEPTION 'dormouse.%: it does not work on runs that are "%"', operation, stranger
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use some of ' || array_to_string(known, ', ') || ', separated by commas.';
    ELSIF status IS NULL AND num_nonnulls(VARIADIC filter) = 0 THEN
        RAISE EXCEPTION 'dormouse.%: which runs?', operation
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Name status, task, queue, key, error, worker, older_than or created_before.';
    END IF;
    RETURN coalesce(asked, otherwise);
END $$;

CREATE FUNCTION dormouse.sum_up_endings(old timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
    WITH single AS (
        DELETE FROM dormouse.endings e
         WHERE e.ctid = ANY (ARRAY(SELECT o.ctid FROM dormouse.endings o
                                    WHERE o.since < date_bin('1 hour', now(), 'epoch') - interval '1 hour' AND o.session <> 0
                                    ORDER BY o.since LIMIT 10000 FOR UPDATE SKIP LOCKED))
        RETURNING e.since, e.task, e.completed, e.failed, e.canceled
    )
    INSERT INTO dormouse.endings AS h (since, session, task, completed, failed, canceled)
    SELECT date_bin('1 hour', s.since, 'epoch'), 0, s.task, sum(s.completed), sum(s.failed), sum(s.canceled)
      FROM single s GROUP BY 1, s.task ORDER BY 1, s.task
        ON CONFLICT ON CONSTRAINT endings_pkey DO UPDATE
           SET completed = h.completed + excluded.completed, failed = h.failed + excluded.failed, canceled = h.canceled + excluded.canceled;
    DELETE FROM dormouse.endings e WHERE e.since < old;
END $$;

CREATE FUNCTION dormouse.take_key(task text, key text, id uuid) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
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

CREATE FUNCTION dormouse.told_as(id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN encode(sha256(uuid_send(id)), 'hex'::text);

CREATE FUNCTION dormouse.watch(id uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    FOR try IN 1 .. 5 LOOP
        BEGIN
            UPDATE dormouse.runs_live l SET watched = true WHERE l.id = watch.id AND NOT l.watched;
            EXIT;
        EXCEPTION WHEN serialization_failure THEN
            IF try = 5 THEN
                RAISE;  -- always so for a transaction that sees an older state: it has to be repeated
            END IF;  -- somebody's UPDATE has just moved it to another partition: look again
        END;
    END LOOP;
    RETURN EXISTS (SELECT FROM dormouse.runs_live l WHERE l.id = watch.id);
END $$;

CREATE FUNCTION dormouse.who() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT session_user || CASE WHEN named.it <> '' AND named.it <> session_user
                                THEN ' (' || left(regexp_replace(named.it, '[[:cntrl:]()]', '?', 'g'), 64) || ')' ELSE '' END
      FROM (SELECT coalesce(current_setting('dormouse.person', true), '')) named (it)
$$;

CREATE TABLE dormouse.attempt_log_default (
    run_id uuid NOT NULL,
    worker uuid NOT NULL,
    fence bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone DEFAULT now() NOT NULL,
    outcome text NOT NULL,
    exit_code smallint,
    signal smallint,
    cpu_ms bigint,
    peak_memory_bytes bigint,
    error jsonb,
    progress real,
    progress_text text,
    CONSTRAINT attempt_log_outcome_check CHECK ((outcome = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text, 'retry'::text, 'put_off'::text, 'not_started'::text, 'handed_back'::text, 'cut_off'::text, 'lost'::text, 'taken_back'::text])))
);

CREATE TABLE dormouse.channel_key (
    key uuid DEFAULT gen_random_uuid() NOT NULL
);

COMMENT ON TABLE dormouse.channel_key IS 'The key from which the names of the NOTIFY channels are derived; secret from logins that may only connect. One row.';

CREATE TABLE dormouse.pool_scale (
    pool text NOT NULL COLLATE pg_catalog."C",
    concurrency integer NOT NULL,
    until timestamp with time zone NOT NULL,
    set_by text DEFAULT dormouse.who() NOT NULL,
    set_at timestamp with time zone DEFAULT now() NOT NULL,
    reason text,
    CONSTRAINT nothing_is_for_ever CHECK ((until <= (set_at + '7 days 02:00:00'::interval))),
    CONSTRAINT pool_scale_concurrency_check CHECK (((concurrency >= 1) AND (concurrency <= 10000)))
);

COMMENT ON TABLE dormouse.pool_scale IS 'The numbers set by dormouse scale; dormouse.scaled shows those in force.';

COMMENT ON COLUMN dormouse.pool_scale.set_by IS 'The login, and in brackets who typed the command, if it says so.';

CREATE VIEW dormouse.scaled AS
 SELECT s.pool,
    s.concurrency,
    s.until,
    s.set_by,
    s.set_at,
    s.reason
   FROM dormouse.pool_scale s
  WHERE (((s.concurrency >= 1) AND (s.concurrency <= 10000)) AND (s.until > now()) AND (s.until <= (now() + '8 days'::interval)));

COMMENT ON VIEW dormouse.scaled IS 'The pools whose number of runs at once was changed by dormouse scale, by whom, and until when.';

CREATE TABLE dormouse.worker_registry (
    id uuid NOT NULL,
    pool text NOT NULL COLLATE pg_catalog."C",
    queues text[] NOT NULL,
    unit text,
    host text NOT NULL,
    pid integer NOT NULL,
    pid_start bigint NOT NULL,
    pid_namespace bigint,
    boot_id uuid NOT NULL,
    instance_id uuid,
    version text NOT NULL,
    concurrency integer,
    concurrency_max integer,
    run_id uuid,
    state text DEFAULT 'awake'::text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    left_at timestamp with time zone,
    ended text,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    session_pid integer,
    session_login oid,
    session_started_at timestamp with time zone,
    rests_until timestamp with time zone,
    CONSTRAINT worker_registry_ended_check CHECK ((ended = ANY (ARRAY['left'::text, 'lost'::text, 'replaced'::text, 'reaped'::text]))),
    CONSTRAINT worker_registry_state_check CHECK ((state = ANY (ARRAY['awake'::text, 'resting'::text, 'left'::text])))
);

COMMENT ON COLUMN dormouse.worker_registry.pid_start IS 'Start time of the process in clock ticks after boot (proc(5), stat field 22).';

COMMENT ON COLUMN dormouse.worker_registry.pid_namespace IS 'Where its pid means that process (pid_namespaces(7), an inode number): containers may share boot id and host name.';

COMMENT ON COLUMN dormouse.worker_registry.concurrency IS 'How many runs it executes at once by its configuration.';

COMMENT ON COLUMN dormouse.worker_registry.concurrency_max IS 'What dormouse.scale() can bring that to at most. Null: nothing is known against more.';

COMMENT ON COLUMN dormouse.worker_registry.run_id IS 'It executes this run alone (--run). Null: whatever its queues hold.';

COMMENT ON COLUMN dormouse.worker_registry.ended IS 'Of state left, how: by itself (null, left), without a session when a lease of its had ended (lost), found dead by its successor (replaced), or by dormouse reap.';

COMMENT ON COLUMN dormouse.worker_registry.seen_at IS 'When it wrote this row last.';

COMMENT ON COLUMN dormouse.worker_registry.session_pid IS 'The server process of its session. It counts as this session with session_login and session_started_at alone.';

COMMENT ON COLUMN dormouse.worker_registry.rests_until IS 'By when one that closes its session on purpose (database.close_after) is to be heard of again.';

CREATE VIEW dormouse.workers AS
 SELECT w.id,
    w.pool,
    w.queues,
    w.unit,
    w.host,
    w.pid,
    w.pid_start,
    w.boot_id,
    w.instance_id,
    w.version,
        CASE
            WHEN ((c.condition <> ALL (ARRAY['live'::text, 'idle'::text])) OR (w.run_id IS NOT NULL) OR (w.concurrency IS NULL) OR (f.scaled IS NULL)) THEN w.concurrency
            ELSE LEAST(f.scaled, w.concurrency_max)
        END AS concurrency,
    w.state,
    w.started_at,
    w.left_at,
    COALESCE(h.runs, (0)::bigint) AS runs,
    h.lease_until,
    c.condition,
        CASE c.condition
            WHEN 'left'::text THEN
            CASE w.state
                WHEN 'left'::text THEN COALESCE(w.ended, 'left'::text)
                ELSE 'rested'::text
            END
            WHEN 'dead'::text THEN
            CASE
                WHEN h.abandoned THEN 'abandoned'::text
                WHEN (w.state = 'left'::text) THEN COALESCE(w.ended, 'left'::text)
                ELSE 'session lost'::text
            END
            ELSE NULL::text
        END AS ended,
        CASE c.condition
            WHEN 'left'::text THEN
            CASE
                WHEN (w.state <> 'left'::text) THEN ((('closed its session on purpose at '::text || t.seen) || ', and was to be heard of by '::text) || t.rests_until)
                WHEN (w.ended = 'replaced'::text) THEN ('its successor found it dead at '::text || t.left_at)
                WHEN (w.ended = 'lost'::text) THEN (('had no session at '::text || t.left_at) || ', when a lease of its had ended'::text)
                WHEN (w.ended = 'reaped'::text) THEN ('dormouse reap found it dead at '::text || t.left_at)
                ELSE ('ended cleanly at '::text || t.left_at)
            END
            WHEN 'dead'::text THEN
            CASE
                WHEN h.abandoned THEN (('the lease of a run it holds ended at '::text || t.first_end) || ' and was not extended'::text)
                WHEN (w.state = 'left'::text) THEN ((('left at '::text || t.left_at) || ' and holds runs, whose leases end at '::text) || t.last_end)
                ELSE (('lost its session after '::text || t.seen) ||
                CASE
                    WHEN (h.runs > 0) THEN (' and holds runs, whose leases end at '::text || t.last_end)
                    ELSE ', holds no run'::text
                END)
            END
            ELSE
            CASE
                WHEN (h.first_end < now()) THEN (('a lease ended at '::text || t.first_end) || ', not long enough ago to say more'::text)
                WHEN (h.runs > 0) THEN ('holds runs, their leases stand until '::text || t.first_end)
                WHEN f.present THEN 'has a session, holds no run'::text
                WHEN pg_is_in_recovery() THEN (('registered at '::text || t.started_at) || ', holds no run; a standby sees no sessions'::text)
                WHEN (w.state = 'resting'::text) THEN ((('closed its session on purpose at '::text || t.seen) || ', to be heard of by '::text) || t.rests_until)
                ELSE ('its session ended with the server, which was started anew; to be heard of by '::text || t.rests_until)
            END
        END AS evidence,
        CASE
            WHEN f.present THEN now()
            ELSE GREATEST(w.seen_at, h.last_claim)
        END AS last_seen_at,
    w.run_id,
        CASE
            WHEN (w.run_id IS NOT NULL) THEN COALESCE(( SELECT r.status
               FROM dormouse.run(w.run_id) r(id, queue, task, priority, payload, run_at, attempts, max_attempts, timeout_ms, created_at, key, traceparent, watched, status, started_at, finished_at, archived_at, worker, fence, lease_until, result, error, progress, progress_text, last_fence, exit_code, signal, cpu_ms, peak_memory_bytes, lost, cut_off)), 'gone'::text)
            ELSE NULL::text
        END AS run_status,
    w.pid_namespace,
    w.concurrency AS configured,
    w.concurrency_max
   FROM (((((dormouse.worker_registry w
     LEFT JOIN ( SELECT runs.worker,
            count(*) AS runs,
            max(runs.lease_until) AS lease_until,
            min(runs.lease_until) AS first_end,
            max(runs.started_at) AS last_claim,
            bool_or(((now() - runs.lease_until) > LEAST((runs.lease_until - runs.started_at), '01:00:00'::interval))) AS abandoned
           FROM dormouse.runs
          WHERE (runs.status = 'running'::text)
          GROUP BY runs.worker) h ON ((h.worker = w.id)))
     LEFT JOIN pg_stat_activity s ON (((s.pid = w.session_pid) AND (s.usesysid = w.session_login) AND (s.datid = ( SELECT d.oid
           FROM pg_database d
          WHERE (d.datname = current_database()))) AND COALESCE((s.backend_start = w.session_started_at), true))))
     CROSS JOIN LATERAL ( SELECT ((s.pid IS NOT NULL) AND (w.state <> 'left'::text)) AS present,
            ((w.rests_until > now()) AND ((w.state = 'resting'::text) OR (pg_postmaster_start_time() > w.session_started_at))) AS rests,
            ( SELECT s_1.concurrency
                   FROM dormouse.scaled s_1
                  WHERE (s_1.pool = w.pool)
                 LIMIT 1) AS scaled) f)
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN ((w.state = 'left'::text) AND (h.runs IS NULL)) THEN 'left'::text
                    WHEN h.abandoned THEN 'dead'::text
                    WHEN (f.present OR f.rests OR pg_is_in_recovery()) THEN
                    CASE
                        WHEN (h.runs > 0) THEN 'live'::text
                        ELSE 'idle'::text
                    END
                    WHEN ((w.state = 'resting'::text) AND (h.runs IS NULL)) THEN 'left'::text
                    ELSE 'dead'::text
                END AS condition) c)
     CROSS JOIN LATERAL ( SELECT date_trunc('second'::text, w.started_at) AS started_at,
            date_trunc('second'::text, w.left_at) AS left_at,
            date_trunc('second'::text, GREATEST(w.seen_at, h.last_claim)) AS seen,
            date_trunc('second'::text, w.rests_until) AS rests_until,
            date_trunc('second'::text, h.first_end) AS first_end,
            date_trunc('second'::text, h.lease_until) AS last_end) t);

COMMENT ON VIEW dormouse.workers IS 'All workers: which are awake, how the others ended, and what each still holds.';

CREATE VIEW dormouse.dead_workers AS
 SELECT workers.id,
    workers.pool,
    workers.queues,
    workers.unit,
    workers.host,
    workers.pid,
    workers.pid_start,
    workers.boot_id,
    workers.instance_id,
    workers.version,
    workers.concurrency,
    workers.state,
    workers.started_at,
    workers.left_at,
    workers.runs,
    workers.lease_until,
    workers.condition,
    workers.ended,
    workers.evidence,
    workers.last_seen_at,
    workers.run_id,
    workers.run_status,
    workers.pid_namespace,
    workers.configured,
    workers.concurrency_max
   FROM dormouse.workers
  WHERE (workers.condition = 'dead'::text);

COMMENT ON VIEW dormouse.dead_workers IS 'Workers that have lost their session, or hold runs whose leases expired long ago.';

CREATE TABLE dormouse.endings (
    since timestamp with time zone NOT NULL,
    session integer NOT NULL,
    task text NOT NULL COLLATE pg_catalog."C",
    completed bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    canceled bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0', vacuum_truncate=off, autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='100000', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='50000');

COMMENT ON TABLE dormouse.endings IS 'How many runs ended, per ten seconds (per hour: session 0) and task. A run that is started again and ends again is counted again.';

COMMENT ON COLUMN dormouse.endings.session IS 'The server process that has counted them.';

CREATE SEQUENCE dormouse.fence
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE VIEW dormouse.idle_workers AS
 SELECT workers.id,
    workers.pool,
    workers.queues,
    workers.unit,
    workers.host,
    workers.pid,
    workers.pid_start,
    workers.boot_id,
    workers.instance_id,
    workers.version,
    workers.concurrency,
    workers.state,
    workers.started_at,
    workers.left_at,
    workers.runs,
    workers.lease_until,
    workers.condition,
    workers.ended,
    workers.evidence,
    workers.last_seen_at,
    workers.run_id,
    workers.run_status,
    workers.pid_namespace,
    workers.configured,
    workers.concurrency_max
   FROM dormouse.workers
  WHERE (workers.condition = 'idle'::text);

COMMENT ON VIEW dormouse.idle_workers IS 'Workers that have a session, or are resting, and hold no runs.';

CREATE TABLE dormouse.imports (
    id uuid NOT NULL,
    imported_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE dormouse.keys (
    task text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    run_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0', autovacuum_vacuum_insert_scale_factor='0.05', vacuum_truncate=off);

CREATE VIEW dormouse.live_workers AS
 SELECT workers.id,
    workers.pool,
    workers.queues,
    workers.unit,
    workers.host,
    workers.pid,
    workers.pid_start,
    workers.boot_id,
    workers.instance_id,
    workers.version,
    workers.concurrency,
    workers.state,
    workers.started_at,
    workers.left_at,
    workers.runs,
    workers.lease_until,
    workers.condition,
    workers.ended,
    workers.evidence,
    workers.last_seen_at,
    workers.run_id,
    workers.run_status,
    workers.pid_namespace,
    workers.configured,
    workers.concurrency_max
   FROM dormouse.workers
  WHERE (workers.condition = 'live'::text);

COMMENT ON VIEW dormouse.live_workers IS 'Workers that have a session, or are resting, and hold runs.';

CREATE TABLE dormouse.migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    oldest_release text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE dormouse.operations (
    id bigint NOT NULL,
    done_at timestamp with time zone DEFAULT now() NOT NULL,
    who text DEFAULT dormouse.who() NOT NULL,
    session integer DEFAULT pg_backend_pid() NOT NULL,
    operation text NOT NULL,
    run_id uuid,
    filter jsonb,
    runs integer NOT NULL,
    reason text,
    CONSTRAINT operations_operation_check CHECK ((operation = ANY (ARRAY['cancel'::text, 'retry'::text, 'archive'::text, 'scale'::text])))
);

COMMENT ON TABLE dormouse.operations IS 'Operations of the last 90 days (cancel, retry, archive, scale), with the login. One row per run given by id, or per batch of runs that match a filter.';

COMMENT ON COLUMN dormouse.operations.who IS 'The login, and in brackets who typed the command, if it says so.';

COMMENT ON COLUMN dormouse.operations.session IS 'The server process: portions of one command have the same.';

ALTER TABLE dormouse.operations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME dormouse.operations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW dormouse.queue_stats AS
 SELECT runs.queue,
    count(*) FILTER (WHERE ((runs.status = ANY (ARRAY['queued'::text, 'retry'::text])) AND (runs.run_at <= now()))) AS due,
    count(*) FILTER (WHERE ((runs.status = ANY (ARRAY['queued'::text, 'retry'::text])) AND (runs.run_at > now()))) AS put_off,
    count(*) FILTER (WHERE (runs.status = 'running'::text)) AS running,
    count(*) FILTER (WHERE (runs.status = 'retry'::text)) AS retrying,
    count(*) FILTER (WHERE (runs.status = 'blocked'::text)) AS blocked,
    min(runs.run_at) FILTER (WHERE ((runs.status = ANY (ARRAY['queued'::text, 'retry'::text])) AND (runs.run_at <= now()))) AS oldest_due_at,
    min(runs.run_at) FILTER (WHERE ((runs.status = ANY (ARRAY['queued'::text, 'retry'::text])) AND (runs.run_at > now()))) AS next_run_at
   FROM dormouse.runs
  WHERE (runs.status = ANY (ARRAY['queued'::text, 'running'::text, 'retry'::text, 'blocked'::text]))
  GROUP BY runs.queue;

COMMENT ON VIEW dormouse.queue_stats IS 'The unfinished runs of each queue.';

CREATE TABLE dormouse.retention (
    pool text NOT NULL COLLATE pg_catalog."C",
    finished_ms bigint,
    said_at timestamp with time zone DEFAULT now() NOT NULL,
    trouble text,
    passed_over bigint[] DEFAULT '{0,0,0}'::bigint[] NOT NULL,
    CONSTRAINT retention_finished_ms_check CHECK ((finished_ms >= 3600000))
);

COMMENT ON TABLE dormouse.retention IS 'How long each pool wants to keep finished runs. The longest applies; dormouse forget deletes the row of a pool that no longer exists.';

COMMENT ON COLUMN dormouse.retention.finished_ms IS 'Null: for ever.';

COMMENT ON COLUMN dormouse.retention.trouble IS 'What stood in the way of the last step of this pool. Null: nothing.';

COMMENT ON COLUMN dormouse.retention.passed_over IS 'How many old runs, attempts and portions of lines a trigger has not let go, as far as the steps have come since they began anew.';

CREATE TABLE dormouse.run_logs_default (
    run_id uuid NOT NULL,
    worker uuid NOT NULL,
    fence bigint NOT NULL,
    first_line integer NOT NULL,
    written_at timestamp with time zone DEFAULT now() NOT NULL,
    lines json NOT NULL
);

CREATE TABLE dormouse.runs_finished (
    id uuid DEFAULT dormouse.new_id() NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL COLLATE pg_catalog."C",
    task text NOT NULL COLLATE pg_catalog."C",
    priority smallint DEFAULT 0 NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    max_attempts smallint,
    timeout_ms bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    key text COLLATE pg_catalog."C",
    traceparent text,
    watched boolean DEFAULT false NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    archived_at timestamp with time zone,
    worker uuid,
    fence bigint,
    lease_until timestamp with time zone,
    result jsonb,
    error jsonb,
    progress real,
    progress_text text,
    last_fence bigint,
    exit_code smallint,
    signal smallint,
    cpu_ms bigint,
    peak_memory_bytes bigint,
    lost smallint DEFAULT 0 NOT NULL,
    cut_off smallint DEFAULT 0 NOT NULL,
    CONSTRAINT finished_has_finished_at CHECK (
CASE
    WHEN (status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) THEN (((finished_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) IS TRUE)
    ELSE (finished_at IS NULL)
END),
    CONSTRAINT progress_is_0_to_1 CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT running_has_lease_fence_worker_and_start CHECK (
CASE
    WHEN (status = 'running'::text) THEN (((((lease_until >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (lease_until <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((started_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (started_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))) IS TRUE) AND (fence IS NOT NULL) AND (worker IS NOT NULL))
    ELSE ((lease_until IS NULL) AND (fence IS NULL))
END)
)
PARTITION BY RANGE (finished_at);

CREATE TABLE dormouse.runs_finished_default (
    id uuid DEFAULT dormouse.new_id() NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL COLLATE pg_catalog."C",
    task text NOT NULL COLLATE pg_catalog."C",
    priority smallint DEFAULT 0 NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    max_attempts smallint,
    timeout_ms bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    key text COLLATE pg_catalog."C",
    traceparent text,
    watched boolean DEFAULT false NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    archived_at timestamp with time zone,
    worker uuid,
    fence bigint,
    lease_until timestamp with time zone,
    result jsonb,
    error jsonb,
    progress real,
    progress_text text,
    last_fence bigint,
    exit_code smallint,
    signal smallint,
    cpu_ms bigint,
    peak_memory_bytes bigint,
    lost smallint DEFAULT 0 NOT NULL,
    cut_off smallint DEFAULT 0 NOT NULL,
    CONSTRAINT finished_has_finished_at CHECK (
CASE
    WHEN (status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) THEN (((finished_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) IS TRUE)
    ELSE (finished_at IS NULL)
END),
    CONSTRAINT progress_is_0_to_1 CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT running_has_lease_fence_worker_and_start CHECK (
CASE
    WHEN (status = 'running'::text) THEN (((((lease_until >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (lease_until <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((started_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (started_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))) IS TRUE) AND (fence IS NOT NULL) AND (worker IS NOT NULL))
    ELSE ((lease_until IS NULL) AND (fence IS NULL))
END)
);

ALTER TABLE ONLY dormouse.runs_finished_default REPLICA IDENTITY FULL;

CREATE TABLE dormouse.runs_live (
    id uuid DEFAULT dormouse.new_id() NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL COLLATE pg_catalog."C",
    task text NOT NULL COLLATE pg_catalog."C",
    priority smallint DEFAULT 0 NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    max_attempts smallint,
    timeout_ms bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    key text COLLATE pg_catalog."C",
    traceparent text,
    watched boolean DEFAULT false NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    archived_at timestamp with time zone,
    worker uuid,
    fence bigint,
    lease_until timestamp with time zone,
    result jsonb,
    error jsonb,
    progress real,
    progress_text text,
    last_fence bigint,
    exit_code smallint,
    signal smallint,
    cpu_ms bigint,
    peak_memory_bytes bigint,
    lost smallint DEFAULT 0 NOT NULL,
    cut_off smallint DEFAULT 0 NOT NULL,
    CONSTRAINT finished_has_finished_at CHECK (
CASE
    WHEN (status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) THEN (((finished_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) IS TRUE)
    ELSE (finished_at IS NULL)
END),
    CONSTRAINT progress_is_0_to_1 CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT running_has_lease_fence_worker_and_start CHECK (
CASE
    WHEN (status = 'running'::text) THEN (((((lease_until >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (lease_until <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((started_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (started_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))) IS TRUE) AND (fence IS NOT NULL) AND (worker IS NOT NULL))
    ELSE ((lease_until IS NULL) AND (fence IS NULL))
END)
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0', vacuum_truncate=off, autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='100000', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='50000');

CREATE TABLE dormouse.runs_unknown (
    id uuid DEFAULT dormouse.new_id() NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL COLLATE pg_catalog."C",
    task text NOT NULL COLLATE pg_catalog."C",
    priority smallint DEFAULT 0 NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    max_attempts smallint,
    timeout_ms bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    key text COLLATE pg_catalog."C",
    traceparent text,
    watched boolean DEFAULT false NOT NULL,
    status text DEFAULT 'queued'::text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    archived_at timestamp with time zone,
    worker uuid,
    fence bigint,
    lease_until timestamp with time zone,
    result jsonb,
    error jsonb,
    progress real,
    progress_text text,
    last_fence bigint,
    exit_code smallint,
    signal smallint,
    cpu_ms bigint,
    peak_memory_bytes bigint,
    lost smallint DEFAULT 0 NOT NULL,
    cut_off smallint DEFAULT 0 NOT NULL,
    CONSTRAINT finished_has_finished_at CHECK (
CASE
    WHEN (status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) THEN (((finished_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (finished_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) IS TRUE)
    ELSE (finished_at IS NULL)
END),
    CONSTRAINT progress_is_0_to_1 CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT running_has_lease_fence_worker_and_start CHECK (
CASE
    WHEN (status = 'running'::text) THEN (((((lease_until >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (lease_until <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)) AND ((started_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (started_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))) IS TRUE) AND (fence IS NOT NULL) AND (worker IS NOT NULL))
    ELSE ((lease_until IS NULL) AND (fence IS NULL))
END)
);

ALTER TABLE ONLY dormouse.runs_unknown REPLICA IDENTITY FULL;

CREATE TABLE dormouse.strays (
    id uuid NOT NULL,
    finished_at timestamp with time zone NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='5000', vacuum_truncate=off);

ALTER TABLE ONLY dormouse.strays REPLICA IDENTITY FULL;

COMMENT ON TABLE dormouse.strays IS 'Runs that finished more than 37 hours after their id was created, or before it; needed to find them by id.';

CREATE VIEW dormouse.stuck_runs AS
 SELECT runs.id,
    runs.queue,
    runs.task,
    runs.status,
    runs.run_at,
    runs.started_at,
    runs.worker,
    runs.lease_until,
        CASE
            WHEN (runs.status = 'running'::text) THEN 'its lease ended and nobody has taken it back'::text
            ELSE 'due for 15 minutes and nobody has claimed it'::text
        END AS reason
   FROM dormouse.runs
  WHERE (((runs.status = 'running'::text) AND (runs.lease_until < now())) OR ((runs.status = ANY (ARRAY['queued'::text, 'retry'::text])) AND (runs.run_at < (now() - '00:15:00'::interval))));

COMMENT ON VIEW dormouse.stuck_runs IS 'Empty when all is well.';

ALTER TABLE ONLY dormouse.attempt_log ATTACH PARTITION dormouse.attempt_log_default DEFAULT;

ALTER TABLE ONLY dormouse.run_logs ATTACH PARTITION dormouse.run_logs_default DEFAULT;

ALTER TABLE ONLY dormouse.runs ATTACH PARTITION dormouse.runs_finished FOR VALUES IN ('completed', 'failed', 'canceled');

ALTER TABLE ONLY dormouse.runs_finished ATTACH PARTITION dormouse.runs_finished_default DEFAULT;

ALTER TABLE ONLY dormouse.runs ATTACH PARTITION dormouse.runs_live FOR VALUES IN ('queued', 'running', 'retry', 'blocked');

ALTER TABLE ONLY dormouse.runs ATTACH PARTITION dormouse.runs_unknown DEFAULT;

ALTER TABLE ONLY dormouse.attempt_log
    ADD CONSTRAINT attempt_log_pkey PRIMARY KEY (run_id, fence, worker, ended_at);

ALTER TABLE ONLY dormouse.attempt_log_default
    ADD CONSTRAINT attempt_log_default_pkey PRIMARY KEY (run_id, fence, worker, ended_at);

ALTER TABLE ONLY dormouse.channel_key
    ADD CONSTRAINT channel_key_pkey PRIMARY KEY (key);

ALTER TABLE ONLY dormouse.endings
    ADD CONSTRAINT endings_pkey PRIMARY KEY (since, session, task);

ALTER TABLE ONLY dormouse.imports
    ADD CONSTRAINT imports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY dormouse.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (task, key);

ALTER TABLE ONLY dormouse.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY dormouse.operations
    ADD CONSTRAINT operations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY dormouse.pool_scale
    ADD CONSTRAINT pool_scale_pkey PRIMARY KEY (pool);

ALTER TABLE ONLY dormouse.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (pool);

ALTER TABLE ONLY dormouse.run_logs
    ADD CONSTRAINT run_logs_place PRIMARY KEY (run_id, fence, first_line, worker, written_at);

ALTER TABLE ONLY dormouse.run_logs_default
    ADD CONSTRAINT run_logs_default_pkey PRIMARY KEY (run_id, fence, first_line, worker, written_at);

ALTER TABLE ONLY dormouse.runs_live
    ADD CONSTRAINT runs_live_pkey PRIMARY KEY (id);

ALTER TABLE ONLY dormouse.worker_registry
    ADD CONSTRAINT worker_registry_pkey PRIMARY KEY (id);

CREATE INDEX attempt_log_default_age ON dormouse.attempt_log_default USING btree (ended_at);

CREATE INDEX imports_imported_at ON dormouse.imports USING btree (imported_at);

CREATE INDEX operations_done_at ON dormouse.operations USING btree (done_at);

CREATE INDEX operations_run ON dormouse.operations USING btree (run_id, id) WHERE (run_id IS NOT NULL);

CREATE INDEX run_logs_default_age ON dormouse.run_logs_default USING btree (written_at);

CREATE INDEX runs_finished_default_age ON dormouse.runs_finished_default USING btree (finished_at);

CREATE INDEX runs_finished_id ON ONLY dormouse.runs_finished USING btree (id);

CREATE INDEX runs_finished_default_id_idx ON dormouse.runs_finished_default USING btree (id);

CREATE INDEX runs_finished_keyed ON ONLY dormouse.runs_finished USING btree (id) WHERE (key IS NOT NULL);

CREATE INDEX runs_finished_default_id_idx1 ON dormouse.runs_finished_default USING btree (id) WHERE (key IS NOT NULL);

CREATE INDEX runs_finished_ill ON ONLY dormouse.runs_finished USING btree (status, id) WHERE (status <> 'completed'::text);

CREATE INDEX runs_finished_default_status_id_idx ON dormouse.runs_finished_default USING btree (status, id) WHERE (status <> 'completed'::text);

CREATE INDEX runs_live_claim ON dormouse.runs_live USING btree (queue, task, priority, run_at, id) WHERE (status = ANY (ARRAY['queued'::text, 'retry'::text]));

CREATE INDEX runs_live_foreign ON dormouse.runs_live USING btree (created_at) WHERE ((id >= '04000000-0000-0000-0000-000000000000'::uuid) OR ((get_byte(uuid_send(id), 6) < 112) OR (get_byte(uuid_send(id), 6) > 127)));

CREATE INDEX runs_live_lease ON dormouse.runs_live USING btree (queue, lease_until) WHERE (status = 'running'::text);

CREATE INDEX runs_live_retry ON dormouse.runs_live USING btree (status, task, id) WHERE (status = ANY (ARRAY['retry'::text, 'blocked'::text]));

CREATE INDEX runs_live_retry_queue ON dormouse.runs_live USING btree (status, queue) WHERE (status = ANY (ARRAY['retry'::text, 'blocked'::text]));

CREATE INDEX strays_finished_at ON dormouse.strays USING btree (finished_at);

CREATE INDEX strays_id ON dormouse.strays USING btree (id);

CREATE INDEX worker_registry_awake ON dormouse.worker_registry USING btree (started_at) WHERE (left_at IS NULL);

CREATE INDEX worker_registry_left ON dormouse.worker_registry USING btree (left_at) WHERE (left_at IS NOT NULL);

CREATE INDEX worker_registry_pool ON dormouse.worker_registry USING btree (pool, started_at DESC);

CREATE INDEX worker_registry_session ON dormouse.worker_registry USING btree (session_pid) WHERE (left_at IS NULL);

ALTER INDEX dormouse.attempt_log_pkey ATTACH PARTITION dormouse.attempt_log_default_pkey;

ALTER INDEX dormouse.run_logs_place ATTACH PARTITION dormouse.run_logs_default_pkey;

ALTER INDEX dormouse.runs_finished_id ATTACH PARTITION dormouse.runs_finished_default_id_idx;

ALTER INDEX dormouse.runs_finished_keyed ATTACH PARTITION dormouse.runs_finished_default_id_idx1;

ALTER INDEX dormouse.runs_finished_ill ATTACH PARTITION dormouse.runs_finished_default_status_id_idx;

CREATE TRIGGER " theirs" BEFORE INSERT OR DELETE OR UPDATE ON dormouse.runs FOR EACH STATEMENT WHEN ((current_setting('dormouse.theirs'::text, true) > ''::text)) EXECUTE FUNCTION dormouse.settings_are('theirs');

CREATE TRIGGER " theirs" BEFORE INSERT OR DELETE OR UPDATE ON dormouse.runs_finished FOR EACH STATEMENT WHEN ((current_setting('dormouse.theirs'::text, true) > ''::text)) EXECUTE FUNCTION dormouse.settings_are('theirs');

CREATE TRIGGER " theirs" BEFORE INSERT OR DELETE OR UPDATE ON dormouse.runs_live FOR EACH STATEMENT WHEN ((current_setting('dormouse.theirs'::text, true) > ''::text)) EXECUTE FUNCTION dormouse.settings_are('theirs');

CREATE TRIGGER change_key BEFORE UPDATE OF id, task, key ON dormouse.runs FOR EACH ROW WHEN ((((new.id IS DISTINCT FROM old.id) OR (new.task IS DISTINCT FROM old.task)) OR (new.key IS DISTINCT FROM old.key))) EXECUTE FUNCTION dormouse.own_key();

CREATE TRIGGER check_archived BEFORE INSERT OR UPDATE OF archived_at ON dormouse.runs_live FOR EACH ROW WHEN (((new.archived_at IS NOT NULL) AND (new.status = ANY (ARRAY['queued'::text, 'running'::text, 'retry'::text, 'blocked'::text])))) EXECUTE FUNCTION dormouse.check_values();

CREATE TRIGGER check_changes BEFORE UPDATE OF run_at, attempts ON dormouse.runs_live FOR EACH ROW WHEN (((new.attempts < 0) OR ((new.run_at < '1970-01-01 00:00:00+00'::timestamp with time zone) OR (new.run_at > '9999-12-31 23:59:59.999999+00'::timestamp with time zone)))) EXECUTE FUNCTION dormouse.check_values();

CREATE TRIGGER check_values BEFORE INSERT OR UPDATE OF queue, task, key, payload, priority, max_attempts, timeout_ms, traceparent ON dormouse.runs_live FOR EACH ROW EXECUTE FUNCTION dormouse.check_values();

CREATE TRIGGER own_key BEFORE INSERT ON dormouse.runs_live FOR EACH ROW WHEN ((new.key IS NOT NULL)) EXECUTE FUNCTION dormouse.own_key();

CREATE TRIGGER own_key_finished BEFORE INSERT ON dormouse.runs_finished FOR EACH ROW WHEN (((new.key IS NOT NULL) AND (current_setting('dormouse.session'::text, true) IS DISTINCT FROM 'worker'::text))) EXECUTE FUNCTION dormouse.own_key_finished();

CREATE TRIGGER refuse_unknown_status BEFORE INSERT ON dormouse.runs_unknown FOR EACH ROW EXECUTE FUNCTION dormouse.refuse_unknown_status();

CREATE TRIGGER run_changes_status BEFORE UPDATE ON dormouse.runs FOR EACH ROW WHEN (((old.status IS DISTINCT FROM new.status) AND (((old.status = 'running'::text) AND (new.fence IS NOT NULL)) OR (new.status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text])) OR (old.status = ANY (ARRAY['completed'::text, 'failed'::text, 'canceled'::text]))))) EXECUTE FUNCTION dormouse.run_changes_status();

CREATE TRIGGER run_has_finished AFTER INSERT OR UPDATE OF id, finished_at ON dormouse.runs_finished FOR EACH ROW WHEN ((current_setting('dormouse.session'::text, true) IS DISTINCT FROM 'worker'::text)) EXECUTE FUNCTION dormouse.run_has_finished();

CREATE TRIGGER run_is_deleted AFTER DELETE ON dormouse.runs_live FOR EACH ROW WHEN ((((old.status = 'running'::text) OR old.watched) AND (current_setting('dormouse.session'::text, true) IS DISTINCT FROM 'worker'::text))) EXECUTE FUNCTION dormouse.run_is_taken_away();

CREATE TRIGGER run_is_taken_away BEFORE UPDATE OF status, fence, worker ON dormouse.runs_live FOR EACH ROW WHEN (((old.status = 'running'::text) AND ((new.fence IS DISTINCT FROM old.fence) OR (new.worker IS DISTINCT FROM old.worker)) AND (current_setting('dormouse.session'::text, true) IS DISTINCT FROM 'worker'::text))) EXECUTE FUNCTION dormouse.run_is_taken_away();

CREATE TRIGGER runs_deleted AFTER DELETE ON dormouse.runs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_deleted();

CREATE TRIGGER runs_ended AFTER UPDATE ON dormouse.runs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_ended();

CREATE TRIGGER runs_inserted AFTER INSERT ON dormouse.runs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_inserted();

CREATE TRIGGER runs_truncated BEFORE TRUNCATE ON dormouse.runs_live FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_truncated();

CREATE TRIGGER runs_updated AFTER UPDATE ON dormouse.runs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_updated();

CREATE TRIGGER "~ours" AFTER INSERT OR DELETE OR UPDATE ON dormouse.runs FOR EACH STATEMENT WHEN ((current_setting('dormouse.theirs'::text, true) > ''::text)) EXECUTE FUNCTION dormouse.settings_are('ours');

CREATE TRIGGER "~ours" AFTER INSERT OR DELETE OR UPDATE ON dormouse.runs_finished FOR EACH STATEMENT WHEN ((current_setting('dormouse.theirs'::text, true) > ''::text)) EXECUTE FUNCTION dormouse.settings_are('ours');

CREATE TRIGGER "~ours" AFTER INSERT OR UPDATE ON dormouse.runs_live FOR EACH STATEMENT WHEN ((current_setting('dormouse.theirs'::text, true) > ''::text)) EXECUTE FUNCTION dormouse.settings_are('ours');

REVOKE ALL ON FUNCTION dormouse.archive(id uuid, reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.archive_runs(status text, task text, queue text, older_than interval, created_before timestamp with time zone, max_runs integer, after text, reason text, key text, error text, worker uuid, OUT changed integer, OUT locked integer, OUT refused integer, OUT next text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.attempts_of(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.cancel(id uuid, reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.cancel_runs(status text, task text, queue text, older_than interval, created_before timestamp with time zone, max_runs integer, after text, reason text, key text, error text, worker uuid, OUT changed integer, OUT locked integer, OUT refused integer, OUT next text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.canceled_by(reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.check_key(task text, key text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.check_numbers(priority integer, max_attempts integer, timeout interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.check_values() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.count_endings(tasks text[], statuses text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.delete_old(part regclass, age name, before timestamp with time zone, passed bigint, OUT deleted bigint, OUT stays bigint, OUT more boolean, OUT refusal text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.drop_partition(part regclass, of_runs boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.ended_now(worker uuid, ids uuid[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.enqueue(task text, payload jsonb, queue text, priority integer, run_at timestamp with time zone, delay interval, key text, max_attempts integer, timeout interval, traceparent text, watched boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.enqueue_many(task text, payloads jsonb[], queue text, priority integer, run_at timestamp with time zone, delay interval, keys text[], max_attempts integer, timeout interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.enqueue_next(worker uuid, ids uuid[], fences bigint[], runs text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.finished_at(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.finishes_within(id uuid, OUT since timestamp with time zone, OUT until timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.forget_imports() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.forget_workers(pool text, worker uuid, OUT workers bigint, OUT pools bigint, OUT refused text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.import_runs(ids uuid[], runs text[], queue text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.is_of_the_server(sqlstate text, context text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.kept_out() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.key_owners(task text, keys text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.levels(queue text, known text[], passed_over uuid[], OUT task text, OUT task_no integer, OUT nth integer, OUT priority smallint, OUT run_at timestamp with time zone, OUT id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.lock_matching(statuses text[], task text, queue text, older_than interval, created_before timestamp with time zone, after text, max_runs integer, key text, error text, worker uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.lock_old(part regclass, age name, before timestamp with time zone, passed bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.lock_run(id uuid, OUT problem text, OUT status text, OUT finished_at timestamp with time zone, OUT archived_at timestamp with time zone, OUT run_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.logs_of(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.make_default() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.make_partition(parent regclass, age name, width text, ahead interval, most_bytes bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.next_runs(queues text[], most integer, tasks text[], slots bigint[], passed_over uuid[], locking boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.note_operation(operation text, run_id uuid, filter jsonb, runs integer, reason text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.note_stray(id uuid, finished_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.own_key() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.own_key_finished() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.partitions_of(parent regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.refuse_unknown_status() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.release_worker(worker uuid, host text, pid integer, pid_start bigint, boot_id uuid, unseen boolean, OUT released integer, OUT locked integer, OUT refused text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.result(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.retain(pool text, finished_ms bigint, worker_now timestamp with time zone, OUT did text, OUT trouble text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.retention_locked() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.retry(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.retry_runs(status text, task text, queue text, older_than interval, created_before timestamp with time zone, max_runs integer, after text, key text, error text, worker uuid, spacing interval, first_at timestamp with time zone, OUT changed integer, OUT locked integer, OUT refused integer, OUT next text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.run(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.run_changes_status() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.run_exists(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.run_has_finished() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.run_is_taken_away() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.runs_deleted() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.runs_ended() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.runs_inserted() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.runs_truncated() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.runs_updated() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.scale(pool text, concurrency integer, lasting interval, reason text, OUT changed boolean, OUT told bigint, OUT refused text) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.settings_are() FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.statuses_meant(operation text, status text, known text[], otherwise text[], VARIADIC filter text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.sum_up_endings(old timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.take_key(task text, key text, id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.watch(id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION dormouse.who() FROM PUBLIC;

