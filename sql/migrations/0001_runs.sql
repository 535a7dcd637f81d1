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

    CONSTRAINT running_has_lease_fence_worker_and_start CHECK (
        CASE WHEN status = 'running'
             THEN lease_until IS NOT NULL AND fence IS NOT NULL AND worker IS NOT NULL AND started_at IS NOT NULL
             ELSE lease_until IS NULL AND fence IS NULL END),
    CONSTRAINT finished_has_finished_at CHECK (
        (status IN ('completed', 'failed', 'canceled')) = (finished_at IS NOT NULL)),
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

-- Never holds a row: a status nobody knows is routed here, and the trigger on it says which one was meant.
CREATE TABLE dormouse.runs_unknown PARTITION OF dormouse.runs DEFAULT;
ALTER TABLE dormouse.runs_unknown REPLICA IDENTITY FULL;

-- A claim makes one descent for each (queue, task, priority) that waits; runs of other tasks lie aside, and what is not due yet lies behind what is
-- (0010_claim.sql).
CREATE INDEX runs_live_claim ON dormouse.runs_live (queue, task, priority, run_at, id) WHERE status IN ('queued', 'retry');
-- Who must be taken back, and when the next lease ends (rescue.sql, due.sql).
CREATE INDEX runs_live_lease ON dormouse.runs_live (queue, lease_until) WHERE status = 'running';

COMMENT ON TABLE dormouse.runs IS 'One row is one run. Insert here, or call dormouse.enqueue().';
COMMENT ON COLUMN dormouse.runs.priority IS 'From -100 to 100. Smaller is sooner; 0 is ordinary.';
COMMENT ON COLUMN dormouse.runs.payload IS 'At most 16 MiB as text; limits.payload_bytes of a pool is mostly less.';
COMMENT ON COLUMN dormouse.runs.run_at IS 'When it is due; infinity: parked, until somebody gives it a time.';
COMMENT ON COLUMN dormouse.runs.attempts IS 'Attempts that count: not those handed back, not started or put off by the handler.';
COMMENT ON COLUMN dormouse.runs.watched IS 'Somebody waits for the end of this run: it is told on channel dormouse:done.';
COMMENT ON COLUMN dormouse.runs.last_fence IS 'The fence under which a finished run was last attempted.';

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

-- Every start but the last of a finished run, whose attempt is in its own row: written once, not twice.
CREATE TABLE dormouse.attempt_log (
    run_id            uuid        NOT NULL,
    worker            uuid        NOT NULL,
    fence             bigint      NOT NULL,
    started_at        timestamptz NOT NULL,
    ended_at          timestamptz NOT NULL DEFAULT now(),
    outcome           text        NOT NULL CHECK (outcome IN ('completed', 'failed', 'canceled', 'retry', 'put_off', 'not_started',
                                                              'handed_back', 'lost', 'taken_back')),
    exit_code         smallint,
    signal            smallint,
    cpu_ms            bigint,
    peak_memory_bytes bigint,
    error             jsonb,
    PRIMARY KEY (run_id, fence, worker)
);

-- One row for each time a worker was awake. Not a heartbeat: it is written at the first look and at a clean end.
CREATE TABLE dormouse.worker_registry (
    id            uuid        PRIMARY KEY,
    pool          text        NOT NULL,
    queues        text[]      NOT NULL,
    unit          text,
    host          text        NOT NULL,
    pid           integer     NOT NULL,
    pid_start     bigint      NOT NULL,
    pid_namespace bigint,
    boot_id       uuid        NOT NULL,
    instance_id   uuid,
    version       text        NOT NULL,
    state         text        NOT NULL DEFAULT 'awake' CHECK (state IN ('awake', 'left')),
    started_at    timestamptz NOT NULL DEFAULT now(),
    left_at       timestamptz
);
-- Whom to forget (worker_arrives.sql).
CREATE INDEX worker_registry_left ON dormouse.worker_registry (left_at) WHERE left_at IS NOT NULL;
CREATE INDEX worker_registry_awake ON dormouse.worker_registry (started_at) WHERE left_at IS NULL;
COMMENT ON COLUMN dormouse.worker_registry.pid_start IS 'Start time of the process in clock ticks after boot (proc(5), stat field 22).';
COMMENT ON COLUMN dormouse.worker_registry.pid_namespace IS 'Where its pid means that process (pid_namespaces(7), an inode number): containers may share boot id and host name.';
