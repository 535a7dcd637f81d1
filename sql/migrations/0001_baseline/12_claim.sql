-- Which runs a claim takes (sql/queries/claim.sql). Functions, because a claim is a few short statements of which most are not needed most of the
-- time: as one statement it takes twice as long, most of it to prepare what is then left out (bench/claims). Their plans are made with the
-- settings of the worker's session (open_session.sql). Where they read dormouse.runs_live a variable has its block's name before it: without, a column
-- that somebody has added would be meant (own_columns_test.cpp).

-- The first run of each (task, priority) that waits in `queue`, of the tasks `known`, which are in byte order; `nth`: of those of the task that are due. Seeks in index
-- runs_live_claim from one to the next: one descent for each, and one for each gap between known tasks, however many runs lie there.
CREATE FUNCTION dormouse.levels(queue text, known text[], passed_over uuid[], OUT task text, OUT task_no integer, OUT nth integer,
                                OUT priority smallint, OUT run_at timestamptz, OUT id uuid) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
<<here>>
DECLARE
    next_task text := known[1];
    next_priority integer := -32768;
BEGIN
    task_no := 1;
    nth := 0;
    WHILE next_task IS NOT NULL LOOP
        SELECT l.task, l.priority, l.run_at, l.id INTO task, priority, run_at, id
          FROM dormouse.runs_live l
         WHERE l.queue = levels.queue AND l.status IN ('queued', 'retry') AND (l.task, l.priority) >= (here.next_task, here.next_priority)
           AND l.id <> ALL (levels.passed_over)
         ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF task <> known[task_no] THEN
            task_no := CASE task WHEN known[task_no + 1] THEN task_no + 1 ELSE width_bucket(task COLLATE "C", known) END;
            nth := 0;
        END IF;
        IF task = known[task_no] THEN
            nth := nth + (run_at <= now())::integer;
            RETURN NEXT;
            next_task := task;
            next_priority := priority + 1;
        ELSE
            next_task := known[task_no + 1];
            next_priority := -32768;
        END IF;
    END LOOP;
END $$;

-- The addresses of the runs that are next in `queues`, at most `most`: the queues strictly in this order, within one by priority, run_at, id over all of its
-- tasks; of tasks[i] at most slots[i], and not the ids `passed_over`. Of more than 256 tasks the claim looks at 256 after 256 until it has enough, from
-- some that are chosen by lot: the order is that of these, and each has its turn. `locking`: those are locked, and no others; whoever is locked already is
-- skipped, and what is free is taken instead.
CREATE FUNCTION dormouse.next_runs(queues text[], most integer, tasks text[], slots bigint[], passed_over uuid[], locking boolean) RETURNS tid[]
-- It is planned inside a statement whose first trigger has put back the session's settings (15_settings.sql).
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
<<here>>
DECLARE
    at_once CONSTANT integer := 256;
    all_known text[];
    all_room integer[];       -- of all_known[i]
    parts integer;            -- of all_known, of at_once each
    lot integer;
    place integer;            -- in front of the part that is looked at now
    known text[];             -- its tasks
    room integer[];           -- of known[i]
    missing integer := most;
    taken tid[] := '{}';
    got tid[];
    lane text;
    levels integer;           -- the (task, priority) of this queue whose first run is due, with that run, as arrays
    level_task text[];
    level_task_no integer[];
    level_priority smallint[];
    level_run_at timestamptz[];
    level_id uuid[];
    merged integer;           -- so many of them, which are in front, can have one of the next runs
    shares integer[];         -- how many each of these has
    depths integer[];         -- and how far it was looked for
    deeper boolean;
    wanted integer;
    short boolean;
BEGIN
    SELECT array_agg(k.task ORDER BY k.task COLLATE "C"), array_agg(least(k.slots, most) ORDER BY k.task COLLATE "C"), (count(*) + at_once - 1) / at_once
      INTO all_known, all_room, parts
      FROM unnest(tasks, slots) AS k (task, slots) WHERE k.slots > 0;
    lot := CASE WHEN parts > 1 THEN floor(random() * parts) ELSE 0 END;
    known := all_known;
    room := all_room;
    FOREACH lane IN ARRAY queues LOOP
        FOR part IN lot .. lot + parts - 1 LOOP
            EXIT WHEN missing <= 0;
            place := part % parts * at_once;
            IF parts > 1 THEN
                known := all_known[place + 1 : place + at_once];
                room := all_room[place + 1 : place + at_once];
            END IF;
            SELECT count(*), least(missing, count(*) FILTER (WHERE l.nth <= room[l.task_no])),
                   array_agg(l.task), array_agg(l.task_no), array_agg(l.priority), array_agg(l.run_at), array_agg(l.id)
              INTO levels, merged, level_task, level_task_no, level_priority, level_run_at, level_id
              FROM (SELECT * FROM dormouse.levels(lane, known, passed_over) l
                     WHERE l.run_at <= now() AND room[l.task_no] > 0
                     ORDER BY l.nth > room[l.task_no], l.priority, l.run_at, l.id) l;
            CONTINUE WHEN levels = 0;
            short := false;

            -- Merges the first runs of each level, then more of those of which all are among the next ones. Each statement here sees what others have
            -- committed: a level may have nothing left.
            shares := ARRAY[least(missing, room[level_task_no[1]])];
            depths := array_fill(least(missing, 8 + 2 * missing / merged), ARRAY[merged]);
            deeper := merged > 1;
            WHILE deeper LOOP
                SELECT array_agg(coalesce(s.share, 0) ORDER BY level),
                       array_agg(CASE WHEN s.deeper THEN least(missing, 4 * s.depth) ELSE depths[level] END ORDER BY level),
                       coalesce(bool_or(s.deeper), false), bool_or(s.level IS NULL)
                  INTO shares, depths, deeper, short
                  FROM generate_series(1, merged) level LEFT JOIN (
                        SELECT r.level, r.depth, count(*) FILTER (WHERE r.fits AND r.place <= missing) AS share,
                               bool_or(r.fits AND r.place <= missing AND r.nth = r.depth AND r.depth < least(missing, room[r.task_no])) AS deeper
                          FROM (SELECT r.*, row_number() OVER (PARTITION BY r.fits ORDER BY r.priority, r.run_at, r.id) AS place
                                  FROM (SELECT l.level, l.task_no, l.priority, depths[l.level] AS depth, n.*,
                                               row_number() OVER (PARTITION BY l.task_no ORDER BY l.priority, n.run_at, n.id) <= room[l.task_no] AS fits
                                          FROM unnest(level_task[:merged], level_task_no, level_priority, level_run_at, level_id)
                                               WITH ORDINALITY AS l (task, task_no, priority, run_at, id, level)
                                         CROSS JOIN LATERAL (
                                               SELECT c.*, row_number() OVER () AS nth
                                                 FROM (SELECT r.run_at, r.id FROM dormouse.runs_live r
                                                        WHERE r.queue = here.lane AND r.status IN ('queued', 'retry') AND r.task = l.task
                                                          AND r.priority = l.priority AND (r.run_at, r.id) >= (l.run_at, l.id) AND r.run_at <= now()
                                                          AND r.id <> ALL (next_runs.passed_over)
                                                        ORDER BY r.run_at, r.id LIMIT here.depths[l.level]) c) n
                                         WHERE l.level <= merged) r) r
                         GROUP BY r.level, r.depth) s USING (level);
            END LOOP;

            <<trial>>
            FOR round IN 1 .. 2 LOOP  -- then, if others had locked or taken some of these, what is free in any level
                <<share>>
                FOR level IN 1 .. CASE round WHEN 1 THEN merged ELSE levels END LOOP
                    wanted := least(missing, room[level_task_no[level]], CASE round WHEN 1 THEN shares[level] ELSE missing END);
                    CONTINUE WHEN wanted <= 0;
                    IF locking THEN
                        got := ARRAY(SELECT r.ctid FROM dormouse.runs_live r
                                      WHERE r.queue = here.lane AND r.status IN ('queued', 'retry') AND r.task = here.level_task[share.level] AND r.priority = here.level_priority[share.level]
                                        AND (r.run_at, r.id) >= (here.level_run_at[share.level], here.level_id[share.level]) AND r.run_at <= now() AND r.id <> ALL (next_runs.passed_over)
                                        AND (trial.round = 1 OR r.ctid <> ALL (here.taken))
                                      ORDER BY r.run_at, r.id LIMIT here.wanted
                                        FOR UPDATE SKIP LOCKED);
                    ELSE
                        got := ARRAY(SELECT r.ctid FROM dormouse.runs_live r
                                      WHERE r.queue = here.lane AND r.status IN ('queued', 'retry') AND r.task = here.level_task[share.level] AND r.priority = here.level_priority[share.level]
                                        AND (r.run_at, r.id) >= (here.level_run_at[share.level], here.level_id[share.level]) AND r.run_at <= now() AND r.id <> ALL (next_runs.passed_over)
                                        AND (trial.round = 1 OR r.ctid <> ALL (here.taken))
                                      ORDER BY r.run_at, r.id LIMIT here.wanted);
                    END IF;
                    taken := taken || got;
                    missing := missing - cardinality(got);
                    room[level_task_no[level]] := room[level_task_no[level]] - cardinality(got);
                    short := short OR cardinality(got) < wanted;
                END LOOP;
                EXIT WHEN levels = 1 OR NOT short;
            END LOOP;
            IF parts > 1 THEN
                all_room[place + 1 : place + cardinality(room)] := room;
            END IF;
        END LOOP;
    END LOOP;
    RETURN taken;
END $$;
