-- Which tasks fail: how many runs of each wait for another attempt after a failure (counted up to 1,000), and how many did so for good within an hour and a
-- day, of the 1,000 that failed last by the time in their ids, and of the 1,000 of strays (06_by_id.sql) among the last 10,000; whether there may be more of
-- those; the newest of them and its error. Index runs_live_retry: two descents for each task with such runs; runs_finished_ill of the partitions of today
-- and yesterday; strays_finished_at, and runs_finished_id of one day for each.
WITH RECURSIVE retried (task) AS (
    (SELECT l.task FROM dormouse.runs_live l WHERE l.status = 'retry' ORDER BY l.task LIMIT 1)
    UNION ALL
    SELECT following.task
      FROM retried CROSS JOIN LATERAL (
           SELECT l.task FROM dormouse.runs_live l WHERE l.status = 'retry' AND l.task > retried.task ORDER BY l.task LIMIT 1) following
), usual AS MATERIALIZED (
    SELECT f.id, f.task, f.finished_at, f.error FROM dormouse.runs_finished f
     WHERE f.status = 'failed' AND f.finished_at > now() - '1 day'::interval AND f.id <=
           (pg_catalog.lpad(pg_catalog.to_hex((extract(epoch FROM now() + '1 day'::interval)::float8 * 1000::float8)::bigint), 12, '0'::text) || '00000000000000000000'::text)::uuid
     ORDER BY f.id DESC LIMIT 1000
), strays AS MATERIALIZED (
    SELECT f.id, f.task, f.finished_at, f.error
      FROM (SELECT s.id, s.finished_at FROM dormouse.strays s WHERE s.finished_at > now() - '1 day'::interval ORDER BY s.finished_at DESC LIMIT 10000) s
     CROSS JOIN LATERAL (SELECT o.id, o.task, o.finished_at, o.error FROM dormouse.runs_finished o
                          WHERE o.status = 'failed' AND o.id = s.id AND o.finished_at = s.finished_at LIMIT 1) f
     LIMIT 1000
), failed AS (
    SELECT u.id, u.task, u.finished_at, u.error FROM usual u UNION ALL
    SELECT s.id, s.task, s.finished_at, s.error FROM strays s WHERE NOT EXISTS (SELECT FROM usual u WHERE u.id = s.id)
), seen (task, retrying, hour, day, id, error) AS (
    SELECT retried.task, counted.runs, 0::bigint, 0::bigint, newest.id, newest.error
      FROM retried
     CROSS JOIN LATERAL (SELECT count(*) AS runs FROM (SELECT FROM dormouse.runs_live l
                                                        WHERE l.status = 'retry' AND l.task = retried.task LIMIT 1000) l) counted
     CROSS JOIN LATERAL (SELECT l.id, l.error FROM dormouse.runs_live l
                          WHERE l.status = 'retry' AND l.task = retried.task ORDER BY l.id DESC LIMIT 1) newest
    UNION ALL
    SELECT f.task, 0, count(*) FILTER (WHERE f.finished_at > now() - '1 hour'::interval), count(*),
           (pg_catalog.array_agg(f.id ORDER BY f.finished_at DESC))[1], (pg_catalog.array_agg(f.error ORDER BY f.finished_at DESC))[1]
      FROM failed f GROUP BY f.task
)
SELECT s.task, sum(s.retrying), sum(s.hour), sum(s.day), (pg_catalog.array_agg(s.id ORDER BY s.retrying DESC))[1],
       (pg_catalog.array_agg(s.error ->> 'class'::text ORDER BY s.retrying DESC))[1],
       left((pg_catalog.array_agg(coalesce(s.error ->> 'message'::text, s.error #>> '{}'::text[]) ORDER BY s.retrying DESC))[1], 4000),
       (SELECT count(*) FROM usual) >= 1000 OR (SELECT count(*) FROM strays) >= 1000
  FROM seen s GROUP BY s.task ORDER BY sum(s.hour) DESC, sum(s.retrying) DESC, s.task LIMIT 50
