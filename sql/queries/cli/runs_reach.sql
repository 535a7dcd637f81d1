-- How far one portion of runs.sql goes: the ids and times of creation (epoch) of the first run of each kind, live and finished, that it passes over; null:
-- it passes over none. $1 status (null: any), $2 how many it looks at of each kind, $3 from which id on (null: the newest), $4 and $5 what runs_since.sql
-- says (null: all days). Indexes as there. What decides here is the status and whole days, never something else of a row: so no row is read that does not count.
SELECT l.id, extract(epoch FROM l.created_at), f.id, extract(epoch FROM f.created_at)
  FROM (SELECT 1) one (row)
  LEFT JOIN (SELECT r.id, r.created_at FROM dormouse.runs r
              WHERE r.status IN ('queued', 'running', 'retry', 'blocked') AND ($1::text IS NULL OR r.status = $1::text)
                AND ($3::uuid IS NULL OR r.id <= $3::uuid)
              ORDER BY r.id DESC OFFSET $2::bigint LIMIT 1) l ON true
  LEFT JOIN (SELECT r.id, r.created_at FROM dormouse.runs r
              WHERE r.status IN ('completed', 'failed', 'canceled') AND ($1::text IS NULL OR r.status = $1::text)
                AND ($3::uuid IS NULL OR r.id <= $3::uuid)
                AND ($4::float8 IS NULL OR r.finished_at >= to_timestamp($4::float8) OR r.finished_at < to_timestamp($5::float8))
              ORDER BY r.id DESC OFFSET $2::bigint LIMIT 1) f ON true
