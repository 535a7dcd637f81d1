-- $1 id, $2 attempt and $3 line after which to begin, $4 only this attempt or null.
-- Index run_logs_place.
SELECT coalesce(l.attempt, 0), l.line, extract(epoch FROM l.said_at), l.level, l.text,
       pg_catalog.json_build_object('attempt', l.attempt, 'line', l.line, 'said_at', l.said_at, 'level', l.level, 'text', l.text)
  FROM dormouse.logs_of($1::uuid) l
 WHERE (coalesce(l.attempt, 0), l.line) > ($2::bigint, $3::int)
   AND ($4::bigint IS NULL OR l.attempt = $4::bigint)
 ORDER BY 1, 2
