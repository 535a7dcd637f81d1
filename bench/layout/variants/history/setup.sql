-- A live table and a plain history table; a row moves from one to the other.
CREATE TABLE dormouse.live (LIKE dormouse.runs_live INCLUDING ALL);
CREATE TABLE dormouse.history (LIKE dormouse.runs_finished_default INCLUDING ALL);
DROP TABLE dormouse.runs CASCADE;
ALTER TABLE dormouse.live RENAME TO runs;
CREATE TRIGGER run_changes_status BEFORE UPDATE ON dormouse.runs
    FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status
          AND (OLD.status = 'running' AND NEW.fence IS NOT NULL
               OR NEW.status IN ('completed', 'failed', 'canceled')
               OR OLD.status IN ('completed', 'failed', 'canceled')))
    EXECUTE FUNCTION dormouse.run_changes_status();
CREATE TRIGGER own_key BEFORE INSERT ON dormouse.runs
    FOR EACH ROW WHEN (NEW.key IS NOT NULL) EXECUTE FUNCTION dormouse.own_key();
CREATE VIEW dormouse.finished_runs AS SELECT * FROM dormouse.history;
