-- Which tasks wait in a queue whose pools do not know them: how many runs, counted up to 1,000, and when the oldest was or is due. $1: a JSON object, each queue with the tasks
-- that are known there. Index runs_live_claim: one descent for each (task, priority) that waits there.
WITH RECURSIVE seek (queue, known, task, priority, run_at) AS (
    SELECT q.key, q.value, '' COLLATE pg_catalog."C", (-32768)::smallint, NULL::timestamptz FROM jsonb_each($1::jsonb) AS q (key, value)
    UNION ALL
    SELECT seek.queue, seek.known, head.*
      FROM seek CROSS JOIN LATERAL (
           SELECT l.task, l.priority, l.run_at FROM dormouse.runs_live l
            WHERE l.queue = seek.queue AND l.status IN ('queued', 'retry')
              AND (l.task, l.priority) > (seek.task, CASE WHEN seek.known ? seek.task THEN 32767 ELSE seek.priority END)
            ORDER BY l.task, l.priority, l.run_at, l.id LIMIT 1) head
)
SELECT waits.queue, waits.task, counted.runs, extract(epoch FROM waits.oldest) AS oldest
  FROM (SELECT seek.queue, seek.task, pg_catalog.min(seek.run_at) AS oldest
          FROM seek WHERE seek.run_at IS NOT NULL AND NOT seek.known ? seek.task
         GROUP BY seek.queue, seek.task) waits
 CROSS JOIN LATERAL (
       SELECT count(*) AS runs FROM (SELECT FROM dormouse.runs_live l
                                      WHERE l.queue = waits.queue AND l.status IN ('queued', 'retry') AND l.task = waits.task LIMIT 1000) l) counted
 ORDER BY oldest, waits.task, waits.queue
