DO $$
DECLARE c name;
BEGIN
    FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'dormouse.runs'::regclass AND contype = 'c' LOOP
        EXECUTE format('ALTER TABLE dormouse.runs DROP CONSTRAINT %I', c);
    END LOOP;
END $$;
