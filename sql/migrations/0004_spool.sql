-- Runs that come as files: a worker imports what lies in its pool's spool.

-- The files that were imported, so that one whose removal was lost in a crash is not imported again, also when its run has finished
-- long ago. Forgotten after 30 days.
CREATE TABLE dormouse.imports (
    id          uuid        PRIMARY KEY,
    imported_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX imports_imported_at ON dormouse.imports (imported_at);

-- Imports one run for each id: `runs` holds the texts of the files, JSON objects whose members are enqueue()'s arguments, `queue` the
-- queue of those that name none. Returns a row for each, in that order: imported; known (that file was imported before, or its key
-- is taken); refused, with the reason: a run whose values the database does not take leaves the others alone.
CREATE FUNCTION dormouse.import_runs(ids uuid[], runs text[], queue text)
RETURNS TABLE (id uuid, outcome text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    run jsonb;
BEGIN
    DELETE FROM dormouse.imports i WHERE i.imported_at < now() - interval '30 days';
    FOR n IN 1 .. coalesce(cardinality(import_runs.ids), 0) LOOP
        id := import_runs.ids[n];
        outcome := 'imported';
        reason := NULL;
        BEGIN
            run := import_runs.runs[n]::jsonb;
            INSERT INTO dormouse.imports (id) VALUES (import_runs.ids[n]) ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                outcome := 'known';
            ELSIF run ->> 'key' IS NOT NULL AND EXISTS (
                SELECT FROM dormouse.keys k WHERE k.task = run ->> 'task' AND k.key = run ->> 'key') THEN
                outcome := 'known';
            ELSE
                INSERT INTO dormouse.runs (id, queue, task, payload, priority, run_at, key, max_attempts, timeout_ms, traceparent)
                VALUES (import_runs.ids[n], coalesce(run ->> 'queue', import_runs.queue), run ->> 'task',
                        coalesce(run -> 'payload', '{}'), coalesce((run ->> 'priority')::smallint, 0),
                        coalesce((run ->> 'run_at')::timestamptz, now()), run ->> 'key', (run ->> 'max_attempts')::smallint,
                        (extract(epoch FROM (run ->> 'timeout')::interval) * 1000)::bigint, run ->> 'traceparent');
            END IF;
        EXCEPTION
            -- a key that somebody else took just now: his run is the one
            WHEN unique_violation THEN
                outcome := CASE WHEN run ->> 'key' IS NOT NULL THEN 'known' ELSE 'refused' END;
                reason := SQLERRM;
            WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
                outcome := 'refused';
                reason := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION dormouse.import_runs FROM PUBLIC;

-- Also where the roles are there already: `dormouse migrate --roles` need not be repeated for a new release.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dormouse_worker') THEN
        GRANT EXECUTE ON FUNCTION dormouse.import_runs TO dormouse_worker;
        GRANT SELECT ON dormouse.imports TO dormouse_worker;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'dormouse_reader') THEN
        GRANT SELECT ON dormouse.imports TO dormouse_reader;
    END IF;
END $$;
