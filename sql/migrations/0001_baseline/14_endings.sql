-- How many runs end, counted by what ends them (dormouse.endings).

-- Counts runs that end in this statement: in finish.sql, finish_fast.sql and refuse_waiting.sql for workers, below for everybody else. An ending
-- never fails for its count, and waits for it 10 ms at most: whatever goes wrong here, it is not counted. STRICT: nothing ended.
-- Costs a round 84 bytes of the log and 60 us, and 76 bytes and 5 us for each further task, where each run that ends costs 900 bytes (PG 15, the place in
-- the log before and after pgbench of finish_fast.sql, 2026-11-29; 899 -> 982 bytes with one run, 6,955 -> 7,206 with 8 of 3 tasks, 56,366 -> 56,413 with 64). Every update is HOT. Rejected: a row
-- trigger, which writes a version for each run; a transition table, which copies each run; INSERT ... ON CONFLICT DO UPDATE, which locks the row first, 54
-- bytes; a row for each worker, whose second session would wait for the first.
CREATE FUNCTION dormouse.count_endings(tasks text[], statuses text[]) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms' AS $$
DECLARE
    moment CONSTANT timestamptz := date_bin('10 seconds', now(), 'epoch');
BEGIN
    WITH ended AS (
        SELECT r.task, count(*) FILTER (WHERE r.status = 'completed') AS completed, count(*) FILTER (WHERE r.status = 'failed') AS failed,
               count(*) FILTER (WHERE r.status = 'canceled') AS canceled
          FROM unnest(count_endings.tasks, count_endings.statuses) r (task, status) GROUP BY r.task
    ), counted AS (
        UPDATE dormouse.endings e
           SET completed = e.completed + n.completed, failed = e.failed + n.failed, canceled = e.canceled + n.canceled
          FROM ended n WHERE e.since = moment AND e.session = pg_backend_pid() AND e.task = n.task
        RETURNING e.task
    )
    INSERT INTO dormouse.endings (since, session, task, completed, failed, canceled)
    SELECT moment, pg_backend_pid(), n.task, n.completed, n.failed, n.canceled FROM ended n WHERE n.task NOT IN (SELECT c.task FROM counted c);
EXCEPTION WHEN OTHERS THEN
    NULL;
END $$;

-- What people end: cancel(), archive() of what has not finished, cancel_runs(), UPDATE. Rows that are inserted as finished have ended elsewhere, and
-- those that are deleted have not ended.
CREATE FUNCTION dormouse.runs_ended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM dormouse.count_endings(array_agg(n.task), array_agg(n.status))
       FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.finished_at IS NOT NULL AND o.finished_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_ended AFTER UPDATE ON dormouse.runs
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dormouse.runs_ended();

-- Sums up the counts of whole hours that are over for an hour, 10,000 rows at most, and drops those that are as old as runs that go.
CREATE FUNCTION dormouse.sum_up_endings(old timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
BEGIN
    WITH single AS (
        DELETE FROM dormouse.endings e
         WHERE e.ctid = ANY (ARRAY(SELECT o.ctid FROM dormouse.endings o
                                    WHERE o.since < date_bin('1 hour', now(), 'epoch') - interval '1 hour' AND o.session <> 0
                                    ORDER BY o.since LIMIT 10000 FOR UPDATE SKIP LOCKED))
        RETURNING e.since, e.task, e.completed, e.failed, e.canceled
    )
    INSERT INTO dormouse.endings AS h (since, session, task, completed, failed, canceled)
    SELECT date_bin('1 hour', s.since, 'epoch'), 0, s.task, sum(s.completed), sum(s.failed), sum(s.canceled)
      FROM single s GROUP BY 1, s.task ORDER BY 1, s.task
        ON CONFLICT ON CONSTRAINT endings_pkey DO UPDATE
           SET completed = h.completed + excluded.completed, failed = h.failed + excluded.failed, canceled = h.canceled + excluded.canceled;
    DELETE FROM dormouse.endings e WHERE e.since < old;
END $$;

-- For the worker's statements that move rows to the finished ones, when fewer arrive than have left: without an error those runs were gone, with what came
-- of them. Asked once for each statement, whether or not anything arrived. (UPDATE of dormouse.runs moves rows likewise: there it is Postgres who
-- drops them.)
CREATE FUNCTION dormouse.kept_out() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a trigger keeps the run out of dormouse.runs_finished, where it goes when it has ended (BEFORE INSERT, RETURN NULL); dormouse doctor names the trigger';
END $$;
