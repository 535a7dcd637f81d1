-- Applied by `dormouse migrate --roles`, as often as one likes: the four roles and what each may do. Roles belong to the
-- whole cluster, so this is a step of its own that an administrator may refuse.
--   dormouse_producer  enqueues, asks for results, cancels and retries by id   (GRANT dormouse_producer TO app)
--   dormouse_worker    claims, completes, registers; may change every run   (the login of the pools)
--   dormouse_operator  looks, cancels, retries, archives, takes runs of dead workers back, forgets them, scales pools   (people)
--   dormouse_reader    looks                                    (dashboards)
-- Producers of one database trust each other: who knows an id, or a key, may ask for the result, cancel and retry.
-- A new object is for the owner alone until a grant here, and a line in tests/postgres/roles_test.cpp, say otherwise.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['dormouse_producer', 'dormouse_worker', 'dormouse_operator', 'dormouse_reader'] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = role AND (rolsuper OR rolcreaterole OR rolbypassrls)) THEN
            RAISE 'role % is there already, and may more than dormouse grants', role USING
                  HINT = format('ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOBYPASSRLS, or drop it, if it is not somebody''s.', role);
        END IF;
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role);  -- who made them need not be who grants
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA dormouse TO dormouse_producer, dormouse_worker, dormouse_operator, dormouse_reader;

GRANT EXECUTE ON FUNCTION dormouse.enqueue, dormouse.enqueue_many, dormouse.result, dormouse.cancel, dormouse.retry
    TO dormouse_producer, dormouse_worker;
GRANT EXECUTE ON FUNCTION dormouse.result, dormouse.cancel, dormouse.retry TO dormouse_operator;

GRANT SELECT ON ALL TABLES IN SCHEMA dormouse TO dormouse_worker, dormouse_operator, dormouse_reader;
REVOKE SELECT ON dormouse.channel_key FROM dormouse_worker, dormouse_operator, dormouse_reader;  -- dormouse.channel() reads it for them
GRANT INSERT, UPDATE, DELETE ON dormouse.runs, dormouse.runs_live, dormouse.runs_finished, dormouse.attempt_log,
    dormouse.worker_registry TO dormouse_worker;
GRANT INSERT, DELETE ON dormouse.run_logs TO dormouse_worker;
GRANT USAGE ON SEQUENCE dormouse.fence TO dormouse_worker;
GRANT EXECUTE ON FUNCTION dormouse.note_stray, dormouse.count_endings, dormouse.kept_out, dormouse.levels, dormouse.next_runs, dormouse.import_runs, dormouse.enqueue_next, dormouse.retain TO dormouse_worker;
GRANT EXECUTE ON FUNCTION dormouse.finishes_within, dormouse.finished_at, dormouse.run, dormouse.attempts_of, dormouse.logs_of, dormouse.partitions_of
    TO dormouse_worker, dormouse_operator, dormouse_reader;
GRANT EXECUTE ON FUNCTION dormouse.watch TO dormouse_worker, dormouse_operator;  -- not for readers: it locks the run until the end of their transaction
GRANT EXECUTE ON FUNCTION dormouse.archive, dormouse.cancel_runs, dormouse.retry_runs, dormouse.archive_runs, dormouse.release_worker,
    dormouse.forget_workers, dormouse.scale
    TO dormouse_worker, dormouse_operator;
