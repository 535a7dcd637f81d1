-- Attempts that ended with their worker, and what follows from them.
ALTER TABLE dormouse.runs
    ADD COLUMN lost    smallint NOT NULL DEFAULT 0,
    ADD COLUMN cut_off smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN dormouse.runs.lost IS 'Attempts that were lost with a worker that died while its host lived. From the second on the run is not executed beside another such run, so that it takes no others with it.';
COMMENT ON COLUMN dormouse.runs.cut_off IS 'Attempts that a worker ended because it could not extend the lease. The first 3 use up no attempt.';

ALTER TABLE dormouse.attempt_log DROP CONSTRAINT attempt_log_outcome_check;
ALTER TABLE dormouse.attempt_log ADD CONSTRAINT attempt_log_outcome_check CHECK (
    outcome IN ('completed', 'failed', 'canceled', 'retry', 'put_off', 'not_started', 'handed_back', 'cut_off', 'lost', 'taken_back'));

-- Who starts a finished run again wants it attempted as if for the first time.
CREATE FUNCTION dormouse.run_starts_again() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.lost := 0;
    NEW.cut_off := 0;
    RETURN NEW;
END $$;
CREATE TRIGGER run_starts_again BEFORE UPDATE ON dormouse.runs_finished
    FOR EACH ROW WHEN (NEW.status IN ('queued', 'running', 'retry', 'blocked'))
    EXECUTE FUNCTION dormouse.run_starts_again();
