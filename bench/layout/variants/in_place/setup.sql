-- One table without partitions; finished rows stay where they are.
CREATE TABLE dormouse.one (LIKE dormouse.runs_live INCLUDING ALL);
DROP TABLE dormouse.runs CASCADE;
ALTER TABLE dormouse.one RENAME TO runs;
-- The worker's finish sets finished_at itself, which keeps it out of the trigger, as its fence does with ours.
CREATE TRIGGER run_changes_status BEFORE UPDATE ON dormouse.runs
    FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status
          AND (OLD.status = 'running' AND NEW.fence IS NOT NULL
               OR NEW.status IN ('completed', 'failed', 'canceled') AND NEW.finished_at IS NULL
               OR OLD.status IN ('completed', 'failed', 'canceled')))
    EXECUTE FUNCTION dormouse.run_changes_status();
CREATE TRIGGER own_key BEFORE INSERT ON dormouse.runs
    FOR EACH ROW WHEN (NEW.key IS NOT NULL) EXECUTE FUNCTION dormouse.own_key();
