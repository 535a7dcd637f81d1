-- What runs say on the way and at their end: progress, log lines, follow-up runs; and who is told.

-- Whoever watches a run is told of its end ("done") and of all else ("news"); nobody pays for the others. Waits
-- for a row that somebody has locked. Returns whether the run can still end.
CREATE FUNCTION dormouse.watch(id uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- Those of the runs `ids` that `worker` has ended in this very transaction, each as its id and its fence.
CREATE FUNCTION dormouse.ended_now(worker uuid, ids uuid[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    moment CONSTANT timestamptz := now();  -- known when the plan is made, so that it has one day in it, however many are kept
BEGIN
    RETURN ARRAY(SELECT f.id || ' ' || f.last_fence FROM dormouse.runs_finished f
                  WHERE f.id = ANY (ended_now.ids) AND f.finished_at = moment AND f.worker = ended_now.worker
                    AND f.status IN ('completed', 'failed') AND f.xmin::text::bigint = txid_current() % 4294967296);
END $$;
REVOKE ALL ON FUNCTION dormouse.ended_now FROM PUBLIC;

-- Enqueues what the runs `ids` ask for, a JSON array each, whose members are enqueue()'s arguments: of those that `worker` has completed
-- under these fences in this very transaction, and of no others. At most 1,000 for each. One that is not right undoes all, whatever the
-- error is (22023, with the run and the place); a key that an open transaction has just taken is waited for as long as the session's lock_timeout says (55P03). Returns the queues into which runs went.
CREATE FUNCTION dormouse.enqueue_next(worker uuid, ids uuid[], fences bigint[], runs text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
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
