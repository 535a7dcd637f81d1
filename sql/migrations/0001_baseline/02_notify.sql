-- When a NOTIFY may be left out: while nobody has to be told, because whoever is there looks again by himself, or comes later and looks
-- then. A commit that carries a NOTIFY takes a lock for the whole cluster, and wakes each session of the database that listens to anything.
-- Two advisory locks for each queue:
--   listening  shared: a session that wants to be told is there (it is registered). A producer that can have it alone knows: there is none.
--              A worker that promises to look again gives it back.
--   reliance   shared, until the end of the transaction: a producer may have left its NOTIFY out. Whoever goes silent registers, makes sure
--              after that that nobody holds this one, and only then looks for the last time.
-- Their keys are the queue's name under two seeds, here and in sql/queries/promise_*.sql. Locks know no snapshot, so all of this holds at
-- each isolation level; they go with their savepoint, their transaction or their session, and a prepared transaction keeps them.
-- Anybody who may connect can take them. Who holds `listening` makes producers notify; of those who hold `reliance` only they are waited for
-- who have inserted, and therefore lock dormouse.runs, for which it takes privileges.
-- tests/model/reliance.pml is this as a checked model.

-- Whether no session is registered under this lock. Taken and given back in one expression: a lock of the session, but nothing can come in
-- between. Again, where somebody else may have had it for just as short a moment; to be wrong then costs a NOTIFY.
CREATE FUNCTION dormouse.nobody_listens(listening bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    FOR try IN 1..3 LOOP
        IF (CASE WHEN pg_catalog.pg_try_advisory_lock(listening) THEN pg_catalog.pg_advisory_unlock(listening) ELSE false END) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

-- Whether this transaction may leave its NOTIFY to `queue` out: whoever needs it will look after its commit.
CREATE FUNCTION dormouse.relies(queue text, listening bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
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

-- The channel on which a topic is told: "queue:NAME" (there is something to look at), "worker:ID" (runs were taken away), "done" and "news" (of runs that
-- somebody watches). NOTIFY takes no privilege, and a flood of large ones holds up each session that listens to their channel. So its name is known
-- to those only who may use this schema: it comes from a key of this database.
CREATE FUNCTION dormouse.channel(topic text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN 'dormouse:' || left(encode(sha256(convert_to(coalesce((SELECT min(k.key::text) FROM dormouse.channel_key k), '') || topic, 'UTF8')), 'hex'), 32);
END $$;

-- LISTENs to topics; their channels.
CREATE FUNCTION dormouse.listen(topics text[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

-- Tells the workers of a queue that there is something to look at. The one place that decides whether a NOTIFY is sent. dormouse.notify, a
-- setting of the session or transaction:
--   off      never: for transactions that will be prepared (PREPARE TRANSACTION cannot follow a NOTIFY); ring after COMMIT PREPARED
--   always   relies on nobody; so does a session that is registered itself, since its own lock does not keep it from having that alone
--   unset    when somebody is registered
CREATE FUNCTION dormouse.notify_queue(queue text) RETURNS void
LANGUAGE plpgsql AS $$
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

-- LISTENs to a queue in a session that is none of dormouse's, and registers it until it ends. The channel, which stays the same. What was
-- enqueued before may have been left untold, also if it is committed later. It does not wait for whoever has the lock alone for longer than producers do
-- (sql/queries/promise_register.sql).
CREATE FUNCTION dormouse.listens(queue text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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

-- Tells one worker that a run it holds has been taken away. It asks the database; the message has no authority.
CREATE FUNCTION dormouse.notify_worker(worker uuid) RETURNS void
LANGUAGE sql BEGIN ATOMIC SELECT pg_notify(dormouse.channel('worker:' || worker::text), ''); END;

-- How a run is called where its news and its end are told ("news", "done"), to all who use this schema: only who knows the id knows it.
CREATE FUNCTION dormouse.told_as(id uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN encode(sha256(uuid_send(id)), 'hex');
