-- The tables. dormouse.runs is one real table for everybody who speaks SQL; underneath, it is partitioned by status, so that
-- the rows a worker walks over stay few however many have finished. bench/layout holds the measured alternatives.

-- A time-ordered uuid (RFC 9562, version 7): 48 bits of milliseconds, 12 bits of their fraction, the rest random. One
-- expression, so that Postgres inlines it; the fraction keeps the order of rows that one statement inserts. RETURN and not AS: what its
-- names mean is decided here, and not by the search path of whoever inserts.
CREATE FUNCTION dormouse.new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN (overlay(lpad(to_hex((date_part('epoch', clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
            || substr(gen_random_uuid()::text, 20))::uuid;

-- The numbers of fences. A fence is this number and the worker's uuid together: a failover may repeat the number.
CREATE SEQUENCE dormouse.fence AS bigint;

-- What an attempt changes comes last: a new version on the same page is then logged without the columns before it.
-- Names and keys are in byte order. The order of a language comes from the system's library, and another version of that may have another order: the indexes
-- would be out of order after an upgrade of the host, and runs would not be found in them.
CREATE TABLE dormouse.runs (
    id                uuid        NOT NULL DEFAULT dormouse.new_id(),
    queue             text        COLLATE "C" NOT NULL DEFAULT 'default',
    task              text        COLLATE "C" NOT NULL,
    priority          smallint    NOT NULL DEFAULT 0,
    payload           jsonb       NOT NULL DEFAULT '{}',
    run_at            timestamptz NOT NULL DEFAULT now(),
    attempts          smallint    NOT NULL DEFAULT 0,
    max_attempts      smallint,
    timeout_ms        bigint,
    created_at        timestamptz NOT NULL DEFAULT now(),
    key               text        COLLATE "C",
    traceparent       text,
    watched           boolean     NOT NULL DEFAULT false,
    status            text        COLLATE "C" NOT NULL DEFAULT 'queued',
    started_at        timestamptz,
    finished_at       timestamptz,
    archived_at       timestamptz,
    worker            uuid,
    fence             bigint,
    lease_until       timestamptz,
    result            jsonb,
    error             jsonb,
    progress          real,
    progress_text     text,
    last_fence        bigint,
    exit_code         smallint,
    signal            smallint,
    cpu_ms            bigint,
    peak_memory_bytes bigint,
    -- attempts that ended with their worker
    lost              smallint    NOT NULL DEFAULT 0,
    cut_off           smallint    NOT NULL DEFAULT 0,

    -- Times that others add to and subtract from: one infinite lease, and nobody could ask what is due.
    CONSTRAINT running_has_lease_fence_worker_and_start CHECK (
        CASE WHEN status = 'running'
             THEN (lease_until BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
                   AND started_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00') IS TRUE
                  AND fence IS NOT NULL AND worker IS NOT NULL
             ELSE lease_until IS NULL AND fence IS NULL END),
    CONSTRAINT finished_has_finished_at CHECK (
        CASE WHEN status IN ('completed', 'failed', 'canceled')
             THEN (finished_at BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00') IS TRUE
             ELSE finished_at IS NULL END),
    -- Few: each costs every statement 5 us. What a run may bring is bounded by the trigger check_values.
    CONSTRAINT progress_is_0_to_1 CHECK (progress BETWEEN 0 AND 1)
) PARTITION BY LIST (status);

CREATE TABLE dormouse.runs_live PARTITION OF dormouse.runs (PRIMARY KEY (id))
    FOR VALUES IN ('queued', 'running', 'retry', 'blocked');

-- A run is rewritten once by each claim and leaves soon after. Half of a page stays free for that, so that the new version lies beside the old one
-- (bench/layout: 13 % less WAL). Vacuum comes by the number of dead rows, however many are alive, at full speed, and never gives pages back,
-- for which it would lock everybody out.
ALTER TABLE dormouse.runs_live SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);

-- By time below that, for retention; until that makes partitions, everything is in the default one.
CREATE TABLE dormouse.runs_finished PARTITION OF dormouse.runs
    FOR VALUES IN ('completed', 'failed', 'canceled') PARTITION BY RANGE (finished_at);
CREATE TABLE dormouse.runs_finished_default PARTITION OF dormouse.runs_finished DEFAULT;
CREATE INDEX runs_finished_id ON dormouse.runs_finished (id);
-- What operators look for. Completed runs, which are most of them, do not pay for it.
CREATE INDEX runs_finished_ill ON dormouse.runs_finished (status, id) WHERE status <> 'completed';
-- A database that is published has to say which row was changed. It costs nothing where nobody publishes.
ALTER TABLE dormouse.runs_finished_default REPLICA IDENTITY FULL;
-- The runs of a partition that have a key go before it, one batch after the other, and their keys with them.
CREATE INDEX runs_finished_keyed ON dormouse.runs_finished (id) WHERE key IS NOT NULL;
-- What lies in a default partition, for want of one of its time, is found by its age.
CREATE INDEX runs_finished_default_age ON dormouse.runs_finished_default (finished_at);

-- Never holds a row: a status nobody knows is routed here, and the trigger on it says which one was meant.
CREATE TABLE dormouse.runs_unknown PARTITION OF dormouse.runs DEFAULT;
ALTER TABLE dormouse.runs_unknown REPLICA IDENTITY FULL;

-- A claim makes one descent for each (queue, task, priority) that waits; runs of other tasks lie aside, and what is not due yet lies behind what is
-- (12_claim.sql).
CREATE INDEX runs_live_claim ON dormouse.runs_live (queue, task, priority, run_at, id) WHERE status IN ('queued', 'retry');
-- Who must be taken back, and when the next lease ends (rescue.sql, due.sql).
CREATE INDEX runs_live_lease ON dormouse.runs_live (queue, lease_until) WHERE status = 'running';
-- Which tasks fail, and how many runs of each queue wait for another attempt or are blocked, for dormouse status. Runs that do not fail never pay for them.
CREATE INDEX runs_live_retry ON dormouse.runs_live (status, task, id) WHERE status IN ('retry', 'blocked');
CREATE INDEX runs_live_retry_queue ON dormouse.runs_live (status, queue) WHERE status IN ('retry', 'blocked');

-- The newest of those whose ids say nothing of their time, for dormouse runs. Runs with ids of version 7, as uuidv7() makes them, never pay for it.
CREATE INDEX runs_live_foreign ON dormouse.runs_live (created_at)
    WHERE id >= '04000000-0000-0000-0000-000000000000' OR get_byte(uuid_send(id), 6) NOT BETWEEN 112 AND 127;

COMMENT ON TABLE dormouse.runs IS 'One row is one run. Insert here, or call dormouse.enqueue().';
COMMENT ON COLUMN dormouse.runs.priority IS 'From -100 to 100. Smaller is sooner; the default is 0.';
COMMENT ON COLUMN dormouse.runs.payload IS 'At most 16 MiB as text; limits.payload_bytes of a pool is usually less.';
COMMENT ON COLUMN dormouse.runs.run_at IS 'When the run is due; infinity: not until it is given a time.';
COMMENT ON COLUMN dormouse.runs.attempts IS 'Attempts that count: not those handed back, canceled, not started or put off by the handler.';
COMMENT ON COLUMN dormouse.runs.watched IS 'Somebody waits for the end of this run: it is told (topic "done" of dormouse.listen()).';
COMMENT ON COLUMN dormouse.runs.lost IS 'Attempts that were lost with a worker that died while its host lived. From the second on the run is not executed beside another such run, so that it takes no others with it.';
COMMENT ON COLUMN dormouse.runs.cut_off IS 'Attempts that a worker ended because it could not extend the lease. The first 3 use up no attempt.';
COMMENT ON COLUMN dormouse.runs.last_fence IS 'The fence of a finished run''s last attempt.';

-- Idempotent enqueue, over history too: the first run with a key owns it.
CREATE TABLE dormouse.keys (
    task       text        COLLATE "C" NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    run_id     uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task, key)
);

-- As many as history is long, and changed by retention alone: by a part of it, since each vacuum reads the whole index.
ALTER TABLE dormouse.keys SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
                               autovacuum_vacuum_insert_scale_factor = 0.05, vacuum_truncate = off);

-- Every start but the last of a finished run, whose attempt is in its own row: written once, not twice. By the time of their end, for retention.
CREATE TABLE dormouse.attempt_log (
    run_id            uuid        NOT NULL,
    worker            uuid        NOT NULL,
    fence             bigint      NOT NULL,
    started_at        timestamptz NOT NULL,
    ended_at          timestamptz NOT NULL DEFAULT now(),
    outcome           text        NOT NULL CHECK (outcome IN ('completed', 'failed', 'canceled', 'retry', 'put_off', 'not_started',
                                                              'handed_back', 'cut_off', 'lost', 'taken_back')),
    exit_code         smallint,
    signal            smallint,
    cpu_ms            bigint,
    peak_memory_bytes bigint,
    error             jsonb,
    -- how far it came
    progress          real,
    progress_text     text,
    PRIMARY KEY (run_id, fence, worker, ended_at)
) PARTITION BY RANGE (ended_at);
CREATE TABLE dormouse.attempt_log_default PARTITION OF dormouse.attempt_log DEFAULT;
CREATE INDEX attempt_log_default_age ON dormouse.attempt_log_default (ended_at);

-- The logs of attempts. One row holds the lines that one round brought for one attempt, [[ms since 1970, level, text], ...]: 59 bytes
-- for each line of 60 characters where a row for each line takes 241, and a third to a half of the time (bench: 8 runs with 100 lines).
-- json and not jsonb: it is stored as it comes, and nobody looks into it but by the view. By time of writing, for retention. The key is also what tells
-- a subscriber which row was deleted: by the whole row it could not, for want of an equality of json.
CREATE TABLE dormouse.run_logs (
    run_id     uuid        NOT NULL,
    worker     uuid        NOT NULL,
    fence      bigint      NOT NULL,
    first_line integer     NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    lines      json        NOT NULL,
    CONSTRAINT run_logs_place PRIMARY KEY (run_id, fence, first_line, worker, written_at)
) PARTITION BY RANGE (written_at);
COMMENT ON TABLE dormouse.run_logs IS 'Log lines of handlers, in batches; dormouse.logs shows them line by line.';
COMMENT ON COLUMN dormouse.run_logs.first_line IS 'The number of the first of these lines within its attempt, from 1.';
CREATE TABLE dormouse.run_logs_default PARTITION OF dormouse.run_logs DEFAULT;
CREATE INDEX run_logs_default_age ON dormouse.run_logs_default (written_at);

-- One row for each time a worker was awake. Not a heartbeat: it is written with each session, when a session is closed on purpose, and at a clean
-- end. In between its session speaks for a worker (the view dormouse.workers).
CREATE TABLE dormouse.worker_registry (
    id                 uuid        PRIMARY KEY,
    pool               text        COLLATE "C" NOT NULL,
    queues             text[]      NOT NULL,
    unit               text,
    host               text        NOT NULL,
    pid                integer     NOT NULL,
    pid_start          bigint      NOT NULL,
    pid_namespace      bigint,
    boot_id            uuid        NOT NULL,
    instance_id        uuid,
    version            text        NOT NULL,
    concurrency        integer,
    concurrency_max    integer,
    run_id             uuid,
    state              text        NOT NULL DEFAULT 'awake' CHECK (state IN ('awake', 'resting', 'left')),
    started_at         timestamptz NOT NULL DEFAULT now(),
    left_at            timestamptz,
    ended              text        CHECK (ended IN ('left', 'lost', 'replaced', 'reaped')),
    seen_at            timestamptz NOT NULL DEFAULT now(),
    session_pid        integer,
    session_login      oid,
    session_started_at timestamptz,
    rests_until        timestamptz
);
-- Whom to forget (worker_arrives.sql).
CREATE INDEX worker_registry_left ON dormouse.worker_registry (left_at) WHERE left_at IS NOT NULL;
CREATE INDEX worker_registry_awake ON dormouse.worker_registry (started_at) WHERE left_at IS NULL;
-- Whom to show, of many (cli/workers.sql).
CREATE INDEX worker_registry_pool ON dormouse.worker_registry (pool, started_at DESC);
CREATE INDEX worker_registry_session ON dormouse.worker_registry (session_pid) WHERE left_at IS NULL;
COMMENT ON COLUMN dormouse.worker_registry.pid_start IS 'Start time of the process in clock ticks after boot (proc(5), stat field 22).';
COMMENT ON COLUMN dormouse.worker_registry.concurrency IS 'How many runs it executes at once by its configuration.';
COMMENT ON COLUMN dormouse.worker_registry.concurrency_max IS 'What dormouse.scale() can bring that to at most. Null: nothing is known against more.';
COMMENT ON COLUMN dormouse.worker_registry.run_id IS 'It executes this run alone (--run). Null: whatever its queues hold.';
COMMENT ON COLUMN dormouse.worker_registry.ended IS 'Of state left, how: by itself (null, left), without a session when a lease of its had ended (lost), found dead by its successor (replaced), or by dormouse reap.';
COMMENT ON COLUMN dormouse.worker_registry.seen_at IS 'When it wrote this row last.';
COMMENT ON COLUMN dormouse.worker_registry.session_pid IS 'The server process of its session. It counts as this session with session_login and session_started_at alone.';
COMMENT ON COLUMN dormouse.worker_registry.rests_until IS 'By when one that closes its session on purpose (database.close_after) is to be heard of again.';
COMMENT ON COLUMN dormouse.worker_registry.pid_namespace IS 'Where its pid means that process (pid_namespaces(7), an inode number): containers may share boot id and host name.';

-- Who does this: the login, and behind it whom the session names (the command line: who typed it, as several people share a login). The name is
-- no proof: anybody may name anybody.
CREATE FUNCTION dormouse.who() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT session_user || CASE WHEN named.it <> '' AND named.it <> session_user
                                THEN ' (' || left(regexp_replace(named.it, '[[:cntrl:]()]', '?', 'g'), 64) || ')' ELSE '' END
      FROM (SELECT coalesce(current_setting('dormouse.person', true), '')) named (it)
$$;

-- How many runs the workers of a pool execute at once for a while, whatever its configuration says (dormouse scale). Written by dormouse.scale(), read through
-- the view dormouse.scaled. A row that is over goes with the next step of retention.
CREATE TABLE dormouse.pool_scale (
    pool        text        COLLATE "C" PRIMARY KEY,
    concurrency integer     NOT NULL CHECK (concurrency BETWEEN 1 AND 10000),
    until       timestamptz NOT NULL,
    set_by      text        NOT NULL DEFAULT dormouse.who(),
    set_at      timestamptz NOT NULL DEFAULT now(),
    reason      text,
    -- 7 days are 167 to 169 hours, where clocks are put forward and back
    CONSTRAINT nothing_is_for_ever CHECK (until <= set_at + interval '7 days 2 hours')
);
COMMENT ON TABLE dormouse.pool_scale IS 'The numbers set by dormouse scale; dormouse.scaled shows those in force.';
COMMENT ON COLUMN dormouse.pool_scale.set_by IS 'The login, and in brackets who typed the command, if it says so.';

-- The files that were imported, so that one whose removal was lost in a crash is not imported again, also when its run has finished
-- long ago. Forgotten after 30 days.
CREATE TABLE dormouse.imports (
    id          uuid        PRIMARY KEY,
    imported_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX imports_imported_at ON dormouse.imports (imported_at);

-- Who canceled, retried and archived what, and scaled which pool, for people (dormouse history). Forgotten after 90 days, some with each new one.
CREATE TABLE dormouse.operations (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    done_at   timestamptz NOT NULL DEFAULT now(),
    who       text        NOT NULL DEFAULT dormouse.who(),
    session   integer     NOT NULL DEFAULT pg_backend_pid(),
    operation text        NOT NULL CHECK (operation IN ('cancel', 'retry', 'archive', 'scale')),
    run_id    uuid,
    filter    jsonb,
    runs      integer     NOT NULL,
    reason    text
);
CREATE INDEX operations_done_at ON dormouse.operations (done_at);
CREATE INDEX operations_run ON dormouse.operations (run_id, id) WHERE run_id IS NOT NULL;
COMMENT ON TABLE dormouse.operations IS 'Operations of the last 90 days (cancel, retry, archive, scale), with the login. One row per run given by id, or per batch of runs that match a filter.';
COMMENT ON COLUMN dormouse.operations.who IS 'The login, and in brackets who typed the command, if it says so.';
COMMENT ON COLUMN dormouse.operations.session IS 'The server process: portions of one command have the same.';

-- How long each pool wants finished runs to be kept. The longest counts: nothing goes that somebody wants to keep.
CREATE TABLE dormouse.retention (
    pool        text COLLATE "C"        PRIMARY KEY,
    finished_ms bigint      CHECK (finished_ms >= 3600000),
    said_at     timestamptz NOT NULL DEFAULT now(),
    trouble     text,
    passed_over bigint[]    NOT NULL DEFAULT '{0,0,0}'
);
COMMENT ON TABLE dormouse.retention IS 'How long each pool wants to keep finished runs. The longest applies; dormouse forget deletes the row of a pool that no longer exists.';
COMMENT ON COLUMN dormouse.retention.finished_ms IS 'Null: for ever.';
COMMENT ON COLUMN dormouse.retention.trouble IS 'What stood in the way of the last step of this pool. Null: nothing.';
COMMENT ON COLUMN dormouse.retention.passed_over IS 'How many old runs, attempts and portions of lines a trigger has not let go, as far as the steps have come since they began anew.';

-- Where a finished run lies, for whoever has its id. Its table has a partition for each day that is kept: to look into each of them costs as many
-- locks and plans as there are days. Ids are ordered by time, and most runs finish within a day and a half after their id was made. Those that do not
-- are strays: dormouse.strays says when they finished. So a few days and one index tell of each id, also of one that nobody has.
CREATE TABLE dormouse.strays (
    id          uuid        NOT NULL,
    finished_at timestamptz NOT NULL
);
-- No primary key: a row too many does no harm, one too few hides a run.
ALTER TABLE dormouse.strays REPLICA IDENTITY FULL;
CREATE INDEX strays_id ON dormouse.strays (id);
CREATE INDEX strays_finished_at ON dormouse.strays (finished_at);
-- As dormouse.keys.
ALTER TABLE dormouse.strays SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);
COMMENT ON TABLE dormouse.strays IS 'Runs that finished more than 37 hours after their id was created, or before it; needed to find them by id.';

-- What the names of the channels are made of (02_notify.sql). One row.
CREATE TABLE dormouse.channel_key (
    key uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY
);
INSERT INTO dormouse.channel_key DEFAULT VALUES;
COMMENT ON TABLE dormouse.channel_key IS 'The key from which the names of the NOTIFY channels are derived; secret from logins that may only connect. One row.';

-- How many runs have ended, by task and time: a row for each session and ten seconds, which no two sessions share, summed up by the hour later (session 0).
-- Kept as long as finished runs. Ten seconds, because while somebody holds a snapshot each version of a row stays, and each ending walks over all of them:
-- 0.3 ms behind 8,000, which is 800 a second; in a row for a minute it would be 2 ms. What counts, and what it costs: 14_endings.sql.
CREATE TABLE dormouse.endings (
    since     timestamptz NOT NULL,
    session   integer     NOT NULL,
    task      text        COLLATE "C" NOT NULL,
    completed bigint      NOT NULL DEFAULT 0,
    failed    bigint      NOT NULL DEFAULT 0,
    canceled  bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (since, session, task)
);
-- As dormouse.runs_live: a row is written many times, each version beside the one before.
ALTER TABLE dormouse.endings SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
COMMENT ON TABLE dormouse.endings IS 'How many runs ended, per ten seconds (per hour: session 0) and task. A run that is started again and ends again is counted again.';
COMMENT ON COLUMN dormouse.endings.session IS 'The server process that has counted them.';
