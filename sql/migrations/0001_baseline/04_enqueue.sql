-- What producers call and what people look at. Functions run as the schema's owner with a pinned search_path, so that a
-- producer needs EXECUTE and nothing else.

-- Refuses numbers that a run may not have in the words of dormouse.check_values(), before they are made small.
CREATE FUNCTION dormouse.check_numbers(priority integer, max_attempts integer, timeout interval) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
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

-- Enqueues one run in the caller's transaction and returns its id. `run_at` or `delay` (from now) puts it off. With `key`
-- the first run of that task and key is returned instead of a second one, also when it has finished long ago.
CREATE FUNCTION dormouse.enqueue(
    task         text,
    payload      jsonb       DEFAULT '{}',
    queue        text        DEFAULT 'default',
    priority     integer     DEFAULT 0,
    run_at       timestamptz DEFAULT NULL,
    delay        interval    DEFAULT NULL,
    key          text        DEFAULT NULL,
    max_attempts integer     DEFAULT NULL,
    timeout      interval    DEFAULT NULL,
    traceparent  text        DEFAULT NULL,
    watched      boolean     DEFAULT false
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- The runs that have these keys, in their order; null: nobody has it. One look into the index for each, which no statistics can make a join of.
CREATE FUNCTION dormouse.key_owners(task text, keys text[]) RETURNS uuid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN ARRAY(SELECT (SELECT k.run_id FROM dormouse.keys k WHERE k.task = key_owners.task AND k.key = i.key)
                   FROM unnest(key_owners.keys) WITH ORDINALITY i (key, n) ORDER BY i.n);
END $$;
REVOKE ALL ON FUNCTION dormouse.key_owners FROM PUBLIC;

-- Enqueues one run for each payload, in that order, and returns their ids in that order. `keys`, if given, has one key
-- (or null) for each payload; a payload whose key is taken gives the id of the run that has it.
CREATE FUNCTION dormouse.enqueue_many(
    task         text,
    payloads     jsonb[],
    queue        text        DEFAULT 'default',
    priority     integer     DEFAULT 0,
    run_at       timestamptz DEFAULT NULL,
    delay        interval    DEFAULT NULL,
    keys         text[]      DEFAULT NULL,
    max_attempts integer     DEFAULT NULL,
    timeout      interval    DEFAULT NULL
) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- How a run stands, for whoever enqueued it. No row: no run of that id (any more). Of several (an id can be used again when its first run
-- has finished) the live one, else the one that finished last.
CREATE FUNCTION dormouse.result(id uuid)
RETURNS TABLE (status text, result jsonb, error jsonb, attempts integer, finished_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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
