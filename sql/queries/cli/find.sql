-- The ids from $1 to $2, at most four: who typed a piece of an id wants one. The same indexes.
SELECT DISTINCT ON (r.id) r.id, r.queue FROM dormouse.runs r WHERE r.id >= $1::uuid AND r.id <= $2::uuid
 ORDER BY r.id, r.finished_at DESC NULLS FIRST LIMIT 4
