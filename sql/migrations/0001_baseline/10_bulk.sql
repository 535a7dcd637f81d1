-- Operations on many runs by a filter, in portions: each call goes on where the one before has ended.

-- The next at most `max_runs` runs that the filter means: `held` are locked now, `locked` are held by somebody else. One row for each table in which
-- there were some, and one at the end with `next`, the place to go on from; null when there are no more. Columns are named with their table, and what
-- is not is a variable: somebody's own column may have any name.
-- Table after table, each by id: the live ones, what lies in no day, then day after day into the past, so that a run which fails again goes where this has
-- been already. A place is the name of a table's time and an id, and what lies before it is not read again. Walks runs_live_pkey, runs_finished_ill or
-- runs_finished_id. One call costs at most as much as 10,000 rows that are read, whatever the filter leaves of them: a table counts as some, too, and one
-- in which something was found, where it is planned anew how runs are locked and changed, as many more. So there are at most 4 of those in one call.
CREATE FUNCTION dormouse.lock_matching(statuses text[], task text, queue text, older_than interval, created_before timestamptz,
                                       after text, max_runs integer, key text, error text, worker uuid)
RETURNS TABLE (held uuid[], locked integer, since timestamptz, until timestamptz, next text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
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
END $$;

-- The statuses that a filter means: those that were asked for, separated by commas, if this operation knows them, else its own. At least one part of
-- a filter must be there: nobody means everything by saying nothing.
CREATE FUNCTION dormouse.statuses_meant(operation text, status text, known text[], otherwise text[], VARIADIC filter text[])
RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

-- cancel() for all that a filter means, at most `max_runs` in one statement: `changed` of them became canceled, `locked` were left alone because
-- somebody has them. With `next` as `after` the next call goes on, also when nothing was changed: a call walks over 10,000 runs at most.
CREATE FUNCTION dormouse.cancel_runs(
    status         text        DEFAULT NULL,
    task           text        DEFAULT NULL,
    queue          text        DEFAULT NULL,
    older_than     interval    DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    max_runs       integer     DEFAULT 200,
    after          text        DEFAULT NULL,
    reason         text        DEFAULT NULL,
    key            text        DEFAULT NULL,
    error          text        DEFAULT NULL,
    worker         uuid        DEFAULT NULL,
    OUT changed integer, OUT locked integer, OUT refused integer, OUT next text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;

-- retry() for all that a filter means; without a status those that are failed or wait for their next attempt. `refused` are those whose key
-- or id belongs to another run by now. The first is due at `first_at`, each one after it `spacing` later. The rest is as for cancel_runs(). Which days count is said by an OR, which prunes them and leaves the index of
-- the default partition on that time alone: runs are found by their ids. OFFSET 0: looked up for each run; as a join all of runs_live is read for each
-- run, where statistics say that it is empty.
CREATE FUNCTION dormouse.retry_runs(
    status         text        DEFAULT NULL,
    task           text        DEFAULT NULL,
    queue          text        DEFAULT NULL,
    older_than     interval    DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    max_runs       integer     DEFAULT 200,
    after          text        DEFAULT NULL,
    key            text        DEFAULT NULL,
    error          text        DEFAULT NULL,
    worker         uuid        DEFAULT NULL,
    spacing        interval    DEFAULT '0',
    first_at       timestamptz DEFAULT now(),
    OUT changed integer, OUT locked integer, OUT refused integer, OUT next text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;

-- archive() for all that a filter means; without a status those that have finished. The rest is as for cancel_runs().
CREATE FUNCTION dormouse.archive_runs(
    status         text        DEFAULT NULL,
    task           text        DEFAULT NULL,
    queue          text        DEFAULT NULL,
    older_than     interval    DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    max_runs       integer     DEFAULT 200,
    after          text        DEFAULT NULL,
    reason         text        DEFAULT NULL,
    key            text        DEFAULT NULL,
    error          text        DEFAULT NULL,
    worker         uuid        DEFAULT NULL,
    OUT changed integer, OUT locked integer, OUT refused integer, OUT next text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;
