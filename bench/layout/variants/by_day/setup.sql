DO $$
BEGIN
    FOR d IN -1..1 LOOP
        EXECUTE format('CREATE TABLE dormouse.runs_finished_%s PARTITION OF dormouse.runs_finished FOR VALUES FROM (%L) TO (%L)',
                       d + 1, current_date + d, current_date + d + 1);
    END LOOP;
END $$;
