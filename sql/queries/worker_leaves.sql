-- Records, before the session closes, a clean end; or, with $2, that it is closed on purpose by a worker which will be heard of again within so many
-- ms, at most a day.
UPDATE dormouse.worker_registry
   SET state = CASE WHEN $2::bigint IS NULL THEN 'left' ELSE 'resting' END, left_at = CASE WHEN $2::bigint IS NULL THEN now() END,
       ended = CASE WHEN $2::bigint IS NULL THEN 'left' END, seen_at = now(),
       rests_until = now() + least($2::bigint, 86400000::bigint)::float8 * interval '1 ms'
 WHERE id = $1
