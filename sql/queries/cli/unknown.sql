-- Which tasks wait in the queues $1 that are not among $2, the ones that are known (both JSON arrays of names): how many runs, counted up to 1,000, and when the oldest was or is
-- due. Index runs_live_claim: one descent for each (task, priority) that waits there.
WITH RECURSIVE seek (queue, task, priority, run_at) AS (
    SELECT DISTINCT q.queue, '' COLLATE pg_catalog."C", (-32768)::smallint, NULL::timestamptz FROM jsonb_array_elements_text($1::jsonb) AS q (queue)
    UNION ALL
    SELECT seek.queue, head.*
      FROM seek CROSS JOIN LATERAL (
           SELECT l.task, l.priority, l.run_at FROM dormouse.runs_live l
            WHERE l.queue = seek.queue AND l.status IN ('queued', 'retry')
              AND (l.task, l.priority) > (seek.task, CASE WHEN seek.task IN (SELECT k.task FROM jsonb_array_elements_text($2::jsonb) AS k (task))
                                                          THEN 32767 ELSE seek.priority END)
            ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1) head
)
SELECT waits.task, least(sum(counted.runs), 1000) AS runs, extract(epoch FROM pg_catalog.min(waits.oldest)) AS oldest
  FROM (SELECT seek.queue, seek.task, pg_catalog.min(seek.run_at) AS oldest
          FROM seek WHERE seek.run_at IS NOT NULL AND seek.task NOT IN (SELECT k.task FROM jsonb_array_elements_text($2::jsonb) AS k (task))
         GROUP BY seek.queue, seek.task) waits
 CROSS JOIN LATERAL (
       SELECT count(*) AS runs FROM (SELECT FROM dormouse.runs_live l
                                      WHERE l.queue = waits.queue AND l.status IN ('queued', 'retry') AND l.task = waits.task LIMIT 1000) l) counted
 GROUP BY waits.task
 ORDER BY oldest, waits.task
