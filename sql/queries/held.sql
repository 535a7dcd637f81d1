-- Which of the runs $2 with the fences $3 worker $1 still holds. Asked when somebody may have taken one away, and when a
-- write came back without it. A row that is locked is held all the same. Index: primary key of runs_live.
-- And, where somebody has row triggers that may pass over a write, and nobody has the row locked: what removes those triggers. Only there it locks the row.
SELECT h.id, CASE WHEN t.remedy IS NOT NULL THEN
                  CASE WHEN (SELECT true FROM dormouse.runs_live r WHERE r.id = h.id FOR UPDATE SKIP LOCKED) THEN t.remedy END END
  FROM unnest($2::uuid[], $3::bigint[]) j (id, fence) CROSS JOIN LATERAL (
       SELECT l.id FROM dormouse.runs_live l WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $1 LIMIT 1) h
 CROSS JOIN (
       SELECT pg_catalog.string_agg(pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname,
                                                      CASE WHEN g.tgparentid = 0::oid THEN 'dormouse.runs_live' ELSE 'dormouse.runs' END), '; ')
         FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
        WHERE g.tgrelid = 'dormouse.runs_live'::regclass::oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
          AND g.tgtype::int & 3 = 3 AND g.tgtype::int & 24 <> 0  -- FOR EACH ROW, BEFORE; DELETE or UPDATE
          AND p.pronamespace <> 'dormouse'::regnamespace::oid) t (remedy)
