-- The account of `dormouse prove`: what was enqueued against what the database says, and both against the ledger that handlers wrote outside
-- it. libexec/dormouse-prove fills three tables of its session before: book (run), ledger (kind, run, fence, at: two marks for each handler,
-- begin and end) and violence (kind, at). One row: the figures, and the findings as an array of lines; each finding is a fault.
WITH runs AS (
    SELECT r.id, r.status, r.result, r.error, r.worker, r.last_fence, r.started_at, r.last_fence || ':' || r.worker AS fence FROM dormouse.runs r
), handlers AS (  -- one for each claim that began
    SELECT l.run, l.fence, pg_catalog.split_part(l.fence, ':', 1)::bigint AS number, pg_catalog.min(l.at) FILTER (WHERE l.kind = 'begin') AS began,
           pg_catalog.min(l.at) FILTER (WHERE l.kind = 'end') AS ended, pg_catalog.count(*) FILTER (WHERE l.kind = 'begin') AS begins,
           pg_catalog.count(*) FILTER (WHERE l.kind = 'end') AS ends
      FROM pg_temp.ledger l GROUP BY l.run, l.fence
), after AS (  -- each with the next one of its run
    SELECT h.*, pg_catalog.lead(h.began) OVER (PARTITION BY h.run ORDER BY h.number) AS next_began FROM handlers h
), again AS (  -- from the violence that interrupted a run to the moment it began again
    SELECT a.run, v.kind, a.next_began - v.at AS took
      FROM after a LEFT JOIN LATERAL (SELECT i.kind, i.at FROM pg_temp.violence i WHERE i.at >= a.began ORDER BY i.at LIMIT 1) v ON v.at < a.next_began
     WHERE a.next_began IS NOT NULL AND a.ended IS NULL
), findings AS (
    SELECT 'lost' AS kind, 'run ' || b.run || ' was enqueued and is nowhere' AS text FROM pg_temp.book b WHERE b.run NOT IN (SELECT id FROM runs)
    UNION ALL
    SELECT 'stuck', 'run ' || r.id || ' is ' || r.status FROM runs r WHERE r.status NOT IN ('completed', 'failed', 'canceled')
    UNION ALL
    SELECT 'wrong end', 'run ' || r.id || ' is ' || r.status || coalesce(': ' || (r.error ->> 'message'), '')
      FROM runs r WHERE r.status IN ('failed', 'canceled')
    UNION ALL
    SELECT 'doubled', 'run ' || r.id || ' is ' || n.times || ' times in the table'
      FROM (SELECT id, pg_catalog.count(*) AS times FROM runs GROUP BY id) n JOIN runs r USING (id) WHERE n.times > 1
    UNION ALL
    SELECT 'doubled', 'run ' || a.run_id || ' has ' || pg_catalog.count(*) || ' accepted endings'
      FROM dormouse.attempts a WHERE a.outcome = 'completed' GROUP BY a.run_id HAVING pg_catalog.count(*) > 1
    UNION ALL
    SELECT 'doubled', 'run ' || h.run || ': one claim, fence ' || h.fence || ', began ' || h.begins || ' and ended ' || h.ends || ' times'
      FROM handlers h WHERE h.begins > 1 OR h.ends > 1
    UNION ALL
    SELECT 'doubled', 'run ' || r.id || ' is completed under fence ' || r.fence || ' with the result of ' || coalesce(r.result ->> 'fence', 'nobody')
      FROM runs r WHERE r.status = 'completed' AND r.result ->> 'fence' IS DISTINCT FROM r.fence
    UNION ALL
    SELECT 'doubled', 'run ' || h.run || ' began under fence ' || h.fence || ' after it was completed under ' || r.fence
      FROM handlers h JOIN runs r ON r.id = h.run WHERE r.status = 'completed' AND h.number > r.last_fence
    UNION ALL
    SELECT 'doubled', 'run ' || a.run || ' began anew while its handler of fence ' || a.fence || ' was at work'
      FROM after a WHERE a.ended > a.next_began
    UNION ALL
    SELECT 'no handler', 'run ' || r.id || ' is completed under fence ' || r.fence || ', whose handler did not end'
      FROM runs r LEFT JOIN handlers h ON h.run = r.id AND h.fence = r.fence WHERE r.status = 'completed' AND h.ended IS NULL
    UNION ALL
    SELECT 'a stranger', 'run ' || r.id || ' was enqueued by nobody' FROM runs r WHERE r.id NOT IN (SELECT b.run FROM pg_temp.book b)
), figures AS (
    SELECT pg_catalog.json_build_object(
        'enqueued', (SELECT pg_catalog.count(*) FROM pg_temp.book),
        'completed', (SELECT pg_catalog.count(*) FROM runs WHERE status = 'completed'),
        'lost', (SELECT pg_catalog.count(*) FROM findings WHERE kind = 'lost'),
        'doubled', (SELECT pg_catalog.count(*) FROM findings WHERE kind = 'doubled'),
        'stuck', (SELECT pg_catalog.count(*) FROM findings WHERE kind = 'stuck'),
        'handlers_begun', (SELECT pg_catalog.count(*) FROM handlers),
        'begun_again', (SELECT pg_catalog.count(*) FROM again),
        'ended_again', (SELECT pg_catalog.count(*) FROM (SELECT run FROM handlers WHERE ended IS NOT NULL GROUP BY run HAVING pg_catalog.count(*) > 1) twice),
        'attempts_not_counted', (SELECT pg_catalog.count(*) FROM dormouse.attempts WHERE outcome IN ('handed_back', 'cut_off', 'put_off', 'not_started')),
        'attempts_lost', (SELECT pg_catalog.count(*) FROM dormouse.attempts WHERE outcome = 'lost'),
        'worst_begun_again_s', (SELECT pg_catalog.round(pg_catalog.max(took)::numeric, 2) FROM again),
        'worst_after', (SELECT kind FROM again WHERE took IS NOT NULL ORDER BY took DESC LIMIT 1),
        'worst_run', (SELECT run FROM again WHERE took IS NOT NULL ORDER BY took DESC LIMIT 1))::text AS figures,
      coalesce((SELECT pg_catalog.json_agg(kind || ': ' || text) FROM findings), '[]'::json)::text AS findings
)
SELECT figures, findings FROM figures
