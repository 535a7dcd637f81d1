-- A run by its id, whether it lives or has finished, at the same cost however many days are kept (dormouse.strays in 01_tables.sql).

-- The first six bytes of an id, as those of version 7, are a time in ms since 1970. A run that finishes from two hours before that to 37 after is no stray:
-- never more than three days to look into.
CREATE FUNCTION dormouse.finishes_within(id uuid, OUT since timestamptz, OUT until timestamptz)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made CONSTANT float8 := ('x' || left(translate(id::text, '-', ''), 12))::bit(48)::bigint / 1000::float8;
BEGIN
    since := to_timestamp(made - 7200::float8);
    until := to_timestamp(made + 133200::float8);
END $$;

-- Remembers a run that has finished then, if it is a stray. By workers, for ids that are older than 36 hours (finish.sql). Not true, ever.
CREATE FUNCTION dormouse.note_stray(id uuid, finished_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- The same for what people and the other functions write, by whatever name of the table. Workers have noted theirs, in the statement that ends a run.
CREATE FUNCTION dormouse.run_has_finished() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM dormouse.note_stray(NEW.id, NEW.finished_at);
    RETURN NULL;
END $$;
CREATE TRIGGER run_has_finished AFTER INSERT OR UPDATE OF id, finished_at ON dormouse.runs_finished
    FOR EACH ROW WHEN (current_setting('dormouse.session', true) IS DISTINCT FROM 'worker')
    EXECUTE FUNCTION dormouse.run_has_finished();

-- When the run of this id finished, the last time; null: there is no finished run of this id (any more). Plans are made for the days that count: a
-- plan that serves all ids would lock all days.
CREATE FUNCTION dormouse.finished_at(id uuid) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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

-- The run of this id, as a row of dormouse.runs: the live one, else the one that finished last. As `SELECT ... FROM dormouse.runs WHERE id = ...`, which
-- gives all of them, at the cost of one day however many are kept.
CREATE FUNCTION dormouse.run(id uuid) RETURNS SETOF dormouse.runs
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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

-- The rows of dormouse.attempts of one run, at the cost of the time from its beginning to its end.
CREATE FUNCTION dormouse.attempts_of(id uuid) RETURNS SETOF dormouse.attempts
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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

-- The rows of dormouse.logs of one run, likewise. What a handler says while it tidies up comes after the end of its run.
CREATE FUNCTION dormouse.logs_of(id uuid) RETURNS SETOF dormouse.logs
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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
