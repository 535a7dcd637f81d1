-- Other people's triggers on dormouse.runs, in a worker's session.

-- A worker's session has planner settings of its own (open_session.sql), which its statements need while they are planned, and triggers that fire in them
-- must not find. So the first trigger of a statement puts back what the session began with, and the last one brings ours back for the statement that is planned
-- next; whatever is in between, the end of the transaction does so as well. Of finish.sql, which deletes in one table and inserts in the other, the second
-- is the last. Without a pinned path, which would undo it at the function's end. Costs a statement of a worker some 10 us, other sessions 1 us.
CREATE FUNCTION dormouse.settings_are() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    settings pg_catalog.text[] := pg_catalog.string_to_array(
        CASE TG_ARGV[0] WHEN 'theirs' THEN pg_catalog.current_setting('dormouse.theirs') ELSE 'force_generic_plan off off off' END, ' ');
BEGIN
    PERFORM pg_catalog.set_config('plan_cache_mode', settings[1], true), pg_catalog.set_config('enable_seqscan', settings[2], true),
            pg_catalog.set_config('enable_bitmapscan', settings[3], true), pg_catalog.set_config('jit', settings[4], true);
    RETURN NULL;
END $$;

-- By name the first and the last of their kind.
DO $$
DECLARE
    of record;
BEGIN
    FOR of IN VALUES ('runs', 'INSERT OR UPDATE OR DELETE'), ('runs_live', 'INSERT OR UPDATE'), ('runs_finished', 'INSERT OR UPDATE OR DELETE') LOOP
        EXECUTE pg_catalog.format($f$
            CREATE TRIGGER " theirs" BEFORE INSERT OR UPDATE OR DELETE ON dormouse.%1$I FOR EACH STATEMENT
                WHEN (pg_catalog.current_setting('dormouse.theirs'::pg_catalog.text, true) OPERATOR(pg_catalog.>) ''::pg_catalog.text)
                EXECUTE FUNCTION dormouse.settings_are('theirs');
            CREATE TRIGGER "~ours" AFTER %2$s ON dormouse.%1$I FOR EACH STATEMENT
                WHEN (pg_catalog.current_setting('dormouse.theirs'::pg_catalog.text, true) OPERATOR(pg_catalog.>) ''::pg_catalog.text)
                EXECUTE FUNCTION dormouse.settings_are('ours')$f$, of.column1, of.column2);
    END LOOP;
END $$;
