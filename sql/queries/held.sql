-- Which of the runs $2 with the fences $3 worker $1 still holds. Asked when somebody may have taken one away, and when a
-- write came back without it. Locks nothing, so a row that is locked is held all the same. Index: primary key of runs_live.
SELECT h.id FROM unnest($2::uuid[], $3::bigint[]) j (id, fence) JOIN dormouse.runs_live h ON h.id = j.id
 WHERE h.status = 'running' AND h.fence = j.fence AND h.worker = $1
