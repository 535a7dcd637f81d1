-- When a NOTIFY may be left out: while a worker has promised to look again. Two advisory locks for each queue:
--   promise   shared: a session that listens is there. Exclusive: the only one of them has promised to look again.
--   reliance  shared, until the end of the transaction: a producer may have left its NOTIFY out. Whoever goes silent gives the promise
--             back, has had this lock alone once, and only then looks for the last time.
-- Their keys are the queue's name under two seeds, here and in sql/queries/promise_*.sql. Locks know no snapshot, so all of this holds at
-- each isolation level; they go with their savepoint, their transaction or their session, and a prepared transaction keeps them.
-- tests/model/reliance.pml is this as a checked model.

-- Whether this transaction may rely on the worker that holds the lock `promise` to look at `queue` again after its commit.
CREATE FUNCTION dormouse.relies(queue text, promise bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    -- Taken and given back in one expression: a lock of the session, but nothing can come in between. Who gets it knows that nobody
    -- promises; then the transaction takes nothing, and is as if there were no promises in the world.
    IF (CASE WHEN pg_catalog.pg_try_advisory_lock_shared(promise) THEN pg_catalog.pg_advisory_unlock_shared(promise) ELSE false END) THEN
        RETURN false;
    END IF;
    IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(pg_catalog.hashtextextended(queue, 1685024367)) THEN
        RETURN false;  -- somebody is going silent just now
    END IF;
    -- Again, since only a promise that is seen under the other lock binds the one who gave it.
    RETURN NOT CASE WHEN pg_catalog.pg_try_advisory_lock_shared(promise) THEN pg_catalog.pg_advisory_unlock_shared(promise) ELSE false END;
END $$;

-- Tells the workers of a queue that there is something to look at. The one place that decides whether a NOTIFY is sent: every commit
-- that carries one takes a lock for the whole cluster. dormouse.notify, a setting of the session or transaction:
--   off      never: for transactions that will be prepared (PREPARE TRANSACTION cannot follow a NOTIFY); ring after COMMIT PREPARED
--   always   relies on nobody
--   unset    when nobody has promised to look again
CREATE OR REPLACE FUNCTION dormouse.notify_queue(queue text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    mode CONSTANT text := pg_catalog.current_setting('dormouse.notify', true);
BEGIN
    IF mode = 'off' THEN
        RETURN;
    ELSIF mode = 'always' THEN
        PERFORM pg_catalog.pg_notify('dormouse:' || queue, '');
    ELSIF NOT dormouse.relies(queue, pg_catalog.hashtextextended(queue, 1685024366)) THEN
        PERFORM pg_catalog.pg_notify('dormouse:' || queue, '');
    END IF;
END $$;

-- by triggers that run as whoever inserts
GRANT EXECUTE ON FUNCTION dormouse.relies TO PUBLIC;
