-- Which pools are scaled (with $1: this one), until when, by whom. A view of a small table, read whole.
SELECT s.pool, s.concurrency, extract(epoch FROM s.until), s.set_by, extract(epoch FROM coalesce(s.set_at, now())), s.reason
  FROM dormouse.scaled s WHERE $1::text IS NULL OR s.pool = $1::text ORDER BY s.pool
