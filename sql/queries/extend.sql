-- Extends the leases of the runs $2 with the fences $3, held by worker $1, to $4 ms from now. Returns the ids that were
-- extended: what is missing is locked by somebody or no longer ours. Index: primary key of runs_live.
WITH held AS (
    SELECT h.tid
      FROM unnest($2::uuid[], $3::bigint[]) j (id, fence) CROSS JOIN LATERAL (
           SELECT l.ctid AS tid FROM dormouse.runs_live l
            WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $1
              FOR UPDATE SKIP LOCKED) h
)
UPDATE dormouse.runs_live r SET lease_until = now() + $4::bigint::float8 * interval '1 ms'
  FROM held WHERE r.ctid = held.tid
RETURNING r.id
