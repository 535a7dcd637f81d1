-- Extends the leases of the runs $2 with the fences $3, held by worker $1, to $4 ms from now. Returns the ids that were
-- extended: what is missing is locked by somebody or no longer ours. Index: primary key of runs_live.
WITH held AS (
    SELECT h.ctid FROM unnest($2::uuid[], $3::bigint[]) j (id, fence) JOIN dormouse.runs_live h ON h.id = j.id
     WHERE h.status = 'running' AND h.fence = j.fence AND h.worker = $1
       FOR UPDATE OF h SKIP LOCKED
)
UPDATE dormouse.runs_live r SET lease_until = now() + $4::bigint * interval '1 ms'
 WHERE r.ctid = ANY (ARRAY(SELECT ctid FROM held))
RETURNING r.id
