-- How the run $1 stands and, if it waits, in how many ms it is due (null: never, it is parked); marks it, so that its end is told. No row: there is none (any more).
-- Indexes: primary key of runs_live, runs_finished_id.
WITH marked AS (
    UPDATE dormouse.runs_live SET watched = true
     WHERE ctid = ANY (ARRAY(SELECT l.ctid FROM dormouse.runs_live l WHERE l.id = $1 AND NOT l.watched FOR UPDATE SKIP LOCKED))
)
SELECT r.status, CASE WHEN r.status IN ('queued', 'retry') THEN ceil(extract(epoch FROM nullif(r.run_at, 'infinity') - now()) * 1000.0)::bigint END
  FROM dormouse.runs r WHERE r.id = $1
