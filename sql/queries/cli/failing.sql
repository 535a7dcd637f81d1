-- Which tasks fail: how many runs of each wait for another attempt after a failure (counted up to 1,000), and how many of the 1,000 that failed last, by
-- their ids, did so within an hour and a day; the newest of them and its error. Index runs_live_retry: two descents for each task with such runs;
-- index runs_finished_ill of the partitions of today and yesterday.
WITH RECURSIVE retried (task) AS (
    (SELECT l.task FROM dormouse.runs_live l WHERE l.status = 'retry' ORDER BY l.task LIMIT 1)
    UNION ALL
    SELECT following.task
      FROM retried CROSS JOIN LATERAL (
           SELECT l.task FROM dormouse.runs_live l WHERE l.status = 'retry' AND l.task > retried.task ORDER BY l.task LIMIT 1) following
), failed AS MATERIALIZED (
    SELECT f.id, f.task, f.finished_at, f.error FROM dormouse.runs_finished f
     WHERE f.status = 'failed' AND f.finished_at > now() - '1 day'::interval ORDER BY f.id DESC LIMIT 1000
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
       left((pg_catalog.array_agg(coalesce(s.error ->> 'message'::text, s.error #>> '{}'::text[]) ORDER BY s.retrying DESC))[1], 4000)
  FROM seen s GROUP BY s.task ORDER BY sum(s.hour) DESC, sum(s.retrying) DESC, s.task LIMIT 50
