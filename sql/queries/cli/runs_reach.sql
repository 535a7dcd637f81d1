-- How far back runs.sql has looked, if not at all: $1 status (null: any), $2 how many it looks at of the live and of the finished runs. The
-- younger one of the first of each kind that it passed over, as epoch; null: there was none. Indexes as there.
SELECT extract(epoch FROM greatest((SELECT l.created_at FROM dormouse.runs l
                                     WHERE l.status IN ('queued', 'running', 'retry', 'blocked') AND ($1::text IS NULL OR l.status = $1::text)
                                     ORDER BY l.id DESC OFFSET $2::bigint LIMIT 1),
                                   (SELECT f.created_at FROM dormouse.runs f
                                     WHERE f.status IN ('completed', 'failed', 'canceled') AND ($1::text IS NULL OR f.status = $1::text)
                                     ORDER BY f.id DESC OFFSET $2::bigint LIMIT 1)))
