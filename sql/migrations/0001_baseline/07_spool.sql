-- Runs that come as files: a worker imports what lies in its pool's spool.

-- Whether an error is about the server or somebody's lock, so that the same statement may succeed later, and not about the
-- values it was given: not what a function of somebody's says by RAISE, whatever code it gives, nor of a file, a limit or a server that such a
-- function asks for (53, 58, 08, 25006), but for a disk or a memory of this server that is full. The codes are in the appendix of Postgres'
-- manual; the first line of the context is the innermost function, with what it was doing (as src/postgres/sqlstate.cpp).
CREATE FUNCTION dormouse.is_of_the_server(sqlstate text, context text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (left($1, 2) = '40' OR $1 = '55P03'
            OR (left($1, 2) IN ('53', '58') OR $1 = '25006')
               AND (NOT EXISTS (SELECT FROM unnest(string_to_array($2, chr(10))) l (line) WHERE l.line ~ 'PL/' AND l.line !~ ' dormouse[.]')
                    OR $1 IN ('53100', '53200') AND $2 !~ 'remote SQL command|dblink connection'))
           AND split_part($2, chr(10), 1) !~ '[[:<:]]RAISE[[:>:]]'
$$;

-- Forgets what was imported long ago.
CREATE FUNCTION dormouse.forget_imports() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM dormouse.imports i WHERE i.imported_at < now() - interval '30 days';
END $$;

-- Imports one run for each id: `runs` holds the texts of the files, JSON objects whose members are enqueue()'s arguments, `queue` the
-- queue of those that name none. Returns a row for each, in that order: imported; known (that file was imported before, or its key
-- is taken); refused, with the reason: a run that cannot be stored leaves the others alone, whatever the error is.
-- What is wrong with the server or the session undoes all. So does a key that an open transaction has just taken: it is waited for half a
-- second (55P03), and is to be tried again later.
CREATE FUNCTION dormouse.import_runs(ids uuid[], runs text[], queue text)
RETURNS TABLE (id uuid, outcome text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
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
