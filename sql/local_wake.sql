-- Applied by `dormouse migrate --local-wake` and --no-local-wake, as often as one likes, in one transaction: Postgres wakes the
-- sleeping pools of its own host. At a commit that made runs claimable, one deferred trigger for each pool writes the empty file that
-- units/dormouse@.path waits for. Not a migration: it belongs to one host, and needs a superuser. docs/local-wake.md has the
-- figures, bench/producers/README.md those of the alternatives.
--
-- Two settings of the transaction are the request: dormouse.local_wake_pools  [{"pool", "path", "queues"}, ...] to install anew,
-- dormouse.local_wake_remove  ["pool", ...] or null for all. dormouse.local_wake_report is the answer: what is installed now, what
-- was removed, directories that are missing, and why the role stays, if it was to go.
--
-- Who may do what. The role dormouse_local_wake may write any file the server may, so what runs with its rights is made of literals
-- and of things of pg_catalog only: nothing the schema's owner could change, nothing from a row. All else runs as that owner or as
-- the producer.

-- At most one of these at a time, by the lock of the table. Producers queue up behind whoever waits for it, hence a lock_timeout (postgres/patience.h).
LOCK TABLE ONLY dormouse.runs IN ACCESS EXCLUSIVE MODE;  -- the parent first, as producers do
LOCK TABLE dormouse.runs_live IN ACCESS EXCLUSIVE MODE;

-- A superuser works on the tables that dormouse made, or on nothing. The catalogue alone is asked; from here on these names are ours.
DO $names$
DECLARE
    wrong CONSTANT text := (
        SELECT string_agg(format('dormouse.%I', odd.name), ', ' ORDER BY odd.name)
          FROM (SELECT c.relname, c.relowner, CASE c.relname WHEN 'runs' THEN 'p' ELSE 'r' END = c.relkind, c.relnamespace
                  FROM pg_class c WHERE c.relname IN ('runs', 'runs_live', 'local_wake_asked')
                UNION ALL
                SELECT p.proname, p.proowner, true, p.pronamespace
                  FROM pg_proc p WHERE p.proname IN ('local_wake_wanted', 'local_wake_updated')) odd (name, owner, of_its_kind, namespace)
          JOIN pg_namespace n ON n.oid = odd.namespace
         WHERE n.nspname = 'dormouse' AND NOT (odd.of_its_kind AND odd.owner = n.nspowner));
BEGIN
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'not what dormouse made, or not owned by the owner of its schema: %', wrong USING ERRCODE = 'wrong_object_type';
    END IF;
END $names$;

-- What goes: what is to be removed, and what is to be made anew. A pool's function has the pool's name in its comment, because a
-- name of 63 bytes does not fit beside a prefix; its triggers go with it.
DO $remove$
DECLARE
    anew    CONSTANT jsonb := current_setting('dormouse.local_wake_pools')::jsonb;
    remove  CONSTANT jsonb := current_setting('dormouse.local_wake_remove')::jsonb;
    removed text[] := '{}';
    one     record;
BEGIN
    FOR one IN
        SELECT p.oid::regprocedure AS function, substr(d.description, length('pool ') + 1) AS pool
          FROM pg_proc p JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
         WHERE p.pronamespace = 'dormouse'::regnamespace AND p.proname ^@ 'local_wake:' AND d.description ^@ 'pool '
         ORDER BY 2
    LOOP
        IF remove = 'null' OR remove ? one.pool THEN
            removed := removed || one.pool;
        ELSIF NOT anew @> jsonb_build_array(jsonb_build_object('pool', one.pool)) THEN
            CONTINUE;
        END IF;
        EXECUTE format('DROP FUNCTION %s CASCADE', one.function);
    END LOOP;
    PERFORM set_config('dormouse.local_wake_report', jsonb_build_object('removed', removed)::text, true);
END $remove$;

DO $install$
DECLARE
    pools   CONSTANT jsonb := current_setting('dormouse.local_wake_pools')::jsonb;
    owner   CONSTANT text := (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'dormouse');
    members text;
    one     record;
    wanted  text;
BEGIN
    IF jsonb_array_length(pools) = 0 THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dormouse_local_wake') THEN
        CREATE ROLE dormouse_local_wake NOLOGIN;
    END IF;
    SELECT string_agg(member::regrole::text, ', ') INTO members
      FROM pg_auth_members WHERE roleid = 'dormouse_local_wake'::regrole;
    IF members IS NOT NULL THEN
        RAISE EXCEPTION 'role dormouse_local_wake has members (%), who would be able to write files as the server', members
            USING ERRCODE = 'invalid_grant_operation', HINT = 'Revoke it from them first.';
    END IF;
    ALTER ROLE dormouse_local_wake NOLOGIN INHERIT;
    GRANT pg_write_server_files TO dormouse_local_wake;

    -- Asked with the producer's rights while it inserts, once in a transaction that wants a wake: the one place that decides
    -- whether one is sent. The mark is a local setting, which a rollback to a savepoint undoes together with the event. plpgsql,
    -- because an SQL function would be parsed anew for each statement.
    CREATE OR REPLACE FUNCTION dormouse.local_wake_wanted(mark text, queue text) RETURNS boolean
    LANGUAGE plpgsql AS $wanted$
    BEGIN
        RETURN pg_catalog.set_config(mark, 'on', true) OPERATOR(pg_catalog.=) 'on';
    END $wanted$;
    GRANT EXECUTE ON FUNCTION dormouse.local_wake_wanted(text, text) TO PUBLIC;

    -- An UPDATE through the parent that makes runs claimable passes here, one row for each queue, and leaves nothing: a trigger
    -- for each row would sit on the leaf, where the worker's own statements would pay for it.
    CREATE UNLOGGED TABLE IF NOT EXISTS dormouse.local_wake_asked (queue text NOT NULL);
    CREATE OR REPLACE FUNCTION dormouse.local_wake_updated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $updated$
    BEGIN
        -- as in dormouse.runs_updated()
        INSERT INTO dormouse.local_wake_asked (queue)
        SELECT DISTINCT n.queue
          FROM new_rows n LEFT JOIN old_rows o USING (id)
         WHERE n.status IN ('queued', 'retry')
           AND (o.id IS NULL OR o.status NOT IN ('queued', 'retry') OR n.run_at < o.run_at OR n.queue <> o.queue);
        IF FOUND THEN
            DELETE FROM dormouse.local_wake_asked;  -- the deferred triggers have been asked all the same
        END IF;
        RETURN NULL;
    END $updated$;
    REVOKE EXECUTE ON FUNCTION dormouse.local_wake_updated() FROM PUBLIC;
    DROP TRIGGER IF EXISTS local_wake_updated ON dormouse.runs;
    CREATE TRIGGER local_wake_updated AFTER UPDATE ON dormouse.runs
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION dormouse.local_wake_updated();
    EXECUTE format('ALTER FUNCTION dormouse.local_wake_wanted(text, text) OWNER TO %s', owner);
    EXECUTE format('ALTER FUNCTION dormouse.local_wake_updated() OWNER TO %s', owner);
    EXECUTE format('ALTER TABLE dormouse.local_wake_asked OWNER TO %s', owner);

    FOR one IN
        SELECT i.pool, i.path,
               CASE WHEN octet_length(i.pool) <= 52 THEN 'local_wake:' || i.pool
                    ELSE 'local_wake:' || left(i.pool, 35) || ':' || left(md5(i.pool), 16) END AS name,
               'dormouse.woken_' || left(md5(i.pool), 16) AS mark,
               (SELECT string_agg(format('%L', q.queue), ', ') FROM jsonb_array_elements_text(i.queues) q (queue)) AS queues
          FROM jsonb_to_recordset(pools) i (pool text, path text, queues jsonb)
    LOOP
        -- The wake comes before the commit. The lock says so in pg_locks to a worker that looks in between and is about to leave;
        -- it is only tried, so that nobody who takes it can hold up a producer: then it is in pg_locks, too.
        -- No row and no column: an empty file takes no page of the wake files' small file system.
        EXECUTE format('CREATE FUNCTION dormouse.%I() RETURNS trigger'
                       ' LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', one.name,
            format($function$
BEGIN
    PERFORM pg_catalog.pg_try_advisory_xact_lock_shared(1685024365, 1);
    COPY (SELECT WHERE false) TO %1$L;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN  -- a commit never fails for the sake of a wake
    RAISE WARNING 'dormouse: pool %% was not woken: %%', %2$L, SQLERRM
        USING HINT = %3$L;
    RETURN NULL;
END $function$, one.path, one.pool,
            -- the statement is for hosts that dormouse has left
            format('Its runs are safe and wait for the next doorbell. Is run-dormouse.wake.mount active? Not wanted on this host: '
                   'dormouse migrate --no-local-wake, or as a superuser: DROP FUNCTION dormouse.%I() CASCADE', one.name)));
        EXECUTE format('REVOKE EXECUTE ON FUNCTION dormouse.%I() FROM PUBLIC', one.name);
        EXECUTE format('COMMENT ON FUNCTION dormouse.%I() IS %L', one.name, 'pool ' || one.pool);
        EXECUTE format('ALTER FUNCTION dormouse.%I() OWNER TO dormouse_local_wake', one.name);

        -- Once in a transaction. CASE, because AND promises no order; the mark is looked at before the function is called, which
        -- keeps the other rows of a transaction cheap.
        wanted := format('NEW.queue = ANY (ARRAY[%s]::text[]) AND current_setting(%L, true) IS DISTINCT FROM ''on'''
                         ' THEN dormouse.local_wake_wanted(%L, NEW.queue) ELSE false END', one.queues, one.mark, one.mark);
        -- On the leaf, INSERT alone: inserts through the parent arrive here, also rows that an UPDATE moves back from the finished
        -- ones, and no statement of the worker inserts into it.
        EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT ON dormouse.runs_live DEFERRABLE INITIALLY DEFERRED'
                       ' FOR EACH ROW WHEN (CASE WHEN NEW.status IN (''queued'', ''retry'') AND %s)'
                       ' EXECUTE FUNCTION dormouse.%I()', one.name, wanted, one.name);
        EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT ON dormouse.local_wake_asked DEFERRABLE INITIALLY DEFERRED'
                       ' FOR EACH ROW WHEN (CASE WHEN %s) EXECUTE FUNCTION dormouse.%I()', one.name, wanted, one.name);
    END LOOP;
END $install$;

-- The last pool takes the rest along. The role belongs to the whole cluster and goes when nobody else needs it.
DO $finish$
DECLARE
    pools CONSTANT jsonb := current_setting('dormouse.local_wake_pools')::jsonb;
    left_over text[] := ARRAY(
        SELECT substr(d.description, length('pool ') + 1)
          FROM pg_proc p JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
         WHERE p.pronamespace = 'dormouse'::regnamespace AND p.proname ^@ 'local_wake:' AND d.description ^@ 'pool '
         ORDER BY 1);
    missing text[] := ARRAY(
        SELECT DISTINCT d.directory
          FROM (SELECT regexp_replace(i.path, '/[^/]*$', '') AS directory FROM jsonb_to_recordset(pools) i (path text)) d
         WHERE NOT coalesce((pg_stat_file(d.directory, true)).isdir, false));
    stays text;
    why   text;
BEGIN
    IF left_over = '{}' THEN
        DROP TRIGGER IF EXISTS local_wake_updated ON dormouse.runs;
        DROP FUNCTION IF EXISTS dormouse.local_wake_updated(), dormouse.local_wake_wanted(text, text);
        DROP TABLE IF EXISTS dormouse.local_wake_asked;
        BEGIN
            DROP ROLE IF EXISTS dormouse_local_wake;
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            GET STACKED DIAGNOSTICS stays = MESSAGE_TEXT, why = PG_EXCEPTION_DETAIL;
        END;
    END IF;
    PERFORM set_config('dormouse.local_wake_report',
                       (current_setting('dormouse.local_wake_report')::jsonb
                        || jsonb_build_object('installed', left_over, 'missing', missing, 'role_stays', stays || coalesce(': ' || nullif(why, ''), '')))::text, true);
END $finish$;
