-- Writes what attempts of worker $1 have said: arrays $2... hold one element for each portion. `progress` is in millionths, null: as it
-- was; `progress_text` null: nothing was said of progress. Only for runs that still show the fence, and lines also for those that were canceled while they
-- had it: what a handler says while it tidies up. Lines lock nothing; the
-- progress of a locked row is passed over, the next one counts. A portion that is there already (the answer to its round was lost) is
-- not written twice: it was not long ago, so that few partitions are looked into. Whoever watches is told. Indexes: primary key of runs_live, run_logs_place.
WITH input AS (
    SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
        AS i (id, fence, progress, progress_text, first_line, lines)
), held AS (
    SELECT h.watched, j.*
      FROM input j CROSS JOIN LATERAL (
           SELECT l.watched FROM dormouse.runs_live l WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $1
           UNION ALL  -- not looked at where the first has one
           SELECT f.watched FROM dormouse.run(j.id) f WHERE f.last_fence = j.fence AND f.worker = $1 AND f.status = 'canceled' LIMIT 1) h
), logged AS (
    INSERT INTO dormouse.run_logs (run_id, worker, fence, first_line, lines)
    SELECT h.id, $1, h.fence, h.first_line, h.lines::json
      FROM held h
     WHERE h.lines IS NOT NULL
       AND NOT EXISTS (SELECT FROM dormouse.run_logs o
                        WHERE o.run_id = h.id AND o.fence = h.fence AND o.first_line = h.first_line AND o.worker = $1
                          AND o.written_at > now() - interval '2 days')
), free AS (
    SELECT f.tid, j.progress, j.progress_text
      FROM input j CROSS JOIN LATERAL (
           SELECT l.ctid AS tid FROM dormouse.runs_live l
            WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $1
              FOR UPDATE SKIP LOCKED) f
     WHERE j.progress_text IS NOT NULL
), moved AS (
    UPDATE dormouse.runs_live r
       SET progress = coalesce(i.progress::numeric / 1000000.0, r.progress), progress_text = nullif(i.progress_text, '')
      FROM free i WHERE r.ctid = i.tid
)
SELECT pg_catalog.count(CASE WHEN watched THEN pg_notify(dormouse.channel('news'::text), dormouse.told_as(id)) END) FROM held
