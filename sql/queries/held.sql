-- Which of the runs $2 with the fences $3 worker $1 still holds. Asked when somebody may have taken one away, and when a
-- write came back without it. Locks nothing, so a row that is locked is held all the same. Index: primary key of runs_live.
SELECT h.id
  FROM unnest($2::uuid[], $3::bigint[]) j (id, fence) CROSS JOIN LATERAL (
       SELECT l.id FROM dormouse.runs_live l WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $1 LIMIT 1) h
