-- Retention: finished runs, what their attempts came to and what they said, in partitions by time that are dropped when they are old.
-- Runs by day; attempts and lines by week, by their own age. One step at a time, by retain() below, which workers call.

-- The partitions of a table that is partitioned by one time: from `since` until before `until`.
CREATE FUNCTION dormouse.partitions_of(parent regclass)
RETURNS TABLE (part regclass, is_default boolean, since timestamptz, until timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
    SELECT c.oid::regclass, b.bound = 'DEFAULT',
           coalesce(substring(b.bound FROM 'FROM [(]''([^'']+)''[)]')::timestamptz, '-infinity'),
           coalesce(substring(b.bound FROM 'TO [(]''([^'']+)''[)]')::timestamptz, 'infinity')
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) b (bound)
     WHERE i.inhparent = $1
$$;

-- Makes the first partition that is missing between now and `ahead` from now, one `width` wide, and says its name; null: none is missing.
-- What lies in the default partition stays there: a partition of today begins behind the newest row of today.
-- Postgres reads all of the default partition meanwhile, and whoever would write into it waits: hence `most_bytes`; null: no limit.
CREATE FUNCTION dormouse.make_partition(parent regclass, age name, width text, ahead interval, most_bytes bigint DEFAULT 67108864)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET enable_seqscan = off SET jit = off AS $$
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
END $$;

-- Makes the default partitions that are missing, and says their names; null: none is. Without it nothing can be written that
-- has no partition of its own time.
CREATE FUNCTION dormouse.make_default() RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

-- Locks at most 1,000 old rows of one partition for that, behind the first `passed`, and says where they are. What deletes them has no settings of
-- ours: it fires other people's triggers.
CREATE FUNCTION dormouse.lock_old(part regclass, age name, before timestamptz, passed bigint) RETURNS tid[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
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
END $$;

-- Deletes at most 1,000 rows from one partition, of runs with the keys that are theirs: those that are from before that time; null: those
-- with a key. Passes over those that somebody has locked, the first `passed`, and those that a trigger of somebody's does not let go: they are found
-- by halves, in 100 ms at most. `stays`: how many of these there are, `refusal` which the first is, and why; `more`: there is more to be looked at.
-- A run with a key that is not let go loses its key (own_key()): its partition goes with all that is in it, and no trigger is asked about that.
CREATE FUNCTION dormouse.delete_old(part regclass, age name, before timestamptz, passed bigint, OUT deleted bigint, OUT stays bigint, OUT more boolean,
                                    OUT refusal text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
END $$;

-- Drops a partition, and says its name. Whoever reads all of the table holds that partition too: it is locked first, so that completions, which do
-- not want it, wait for nobody's reading.
CREATE FUNCTION dormouse.drop_partition(part regclass, of_runs boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

-- That something of retention is locked, and by whom, as far as can be told afterwards: who holds any of its tables just now.
CREATE FUNCTION dormouse.retention_locked() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
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

-- One step of retention, in a transaction of its own: `did` says what, and null that nothing is left to do; `trouble` why something could not be,
-- which holds up nothing else but where it is a lock.
-- `finished_ms` is what `pool` wants (null: to keep everything). What is old is so by the clock of the worker, too: a database whose
-- clock jumps ahead forgets nothing. Waits 50 ms for any lock, and only one step is at work at a time: by a lock that needs privileges, unlike an
-- advisory one.
CREATE FUNCTION dormouse.retain(pool text, finished_ms bigint, worker_now timestamptz, OUT did text, OUT trouble text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
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
