-- How many runs of each task have ended within an hour and a day, as what ended them has counted: hours as a whole by the day, but for the last one or
-- two; at most 1,000 tasks, those with the most first. Index endings_pkey.
SELECT e.task,
       coalesce(sum(e.completed) FILTER (WHERE e.since > now() - '1 hour'::interval), 0), coalesce(sum(e.failed) FILTER (WHERE e.since > now() - '1 hour'::interval), 0),
       coalesce(sum(e.canceled) FILTER (WHERE e.since > now() - '1 hour'::interval), 0), sum(e.completed), sum(e.failed), sum(e.canceled)
  FROM dormouse.endings e WHERE e.since > now() - '1 day'::interval
 GROUP BY e.task ORDER BY sum(e.completed + e.failed + e.canceled) DESC, e.task LIMIT 1000
