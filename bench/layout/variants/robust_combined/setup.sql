-- robust, cursor, checks_on_leaves and sequence_cache together.
ALTER SEQUENCE dormouse.fence CACHE 100;
DO $$
DECLARE c record;
BEGIN
    FOR c IN SELECT conname, pg_get_constraintdef(oid) AS def FROM pg_constraint
              WHERE conrelid = 'dormouse.runs'::regclass AND contype = 'c' LOOP
        EXECUTE format('ALTER TABLE dormouse.runs DROP CONSTRAINT %I', c.conname);
        IF c.conname <> 'finished_has_finished_at' THEN
            EXECUTE format('ALTER TABLE dormouse.runs_live ADD CONSTRAINT %I %s', c.conname, c.def);
        END IF;
    END LOOP;
END $$;
ALTER TABLE dormouse.runs_live ADD CONSTRAINT live_has_no_finished_at CHECK (finished_at IS NULL);
ALTER TABLE dormouse.runs_finished ALTER finished_at SET NOT NULL,
    ADD CONSTRAINT finished_has_no_lease_and_fence CHECK (lease_until IS NULL AND fence IS NULL);
