-- $1 a JSON array of runs. In the order of their keys, so that two with the same ones do not block each other.
-- Index keys_pkey.
SELECT pg_catalog.count(dormouse.enqueue(task => r.task, payload => r.payload, queue => r.queue, priority => r.priority, run_at => r.run_at,
                                         key => r.key, max_attempts => r.max_attempts, timeout => r.timeout_ms::float8 * interval '1 ms',
                                         traceparent => r.traceparent))
  FROM (SELECT * FROM jsonb_to_recordset($1::jsonb) AS l (line bigint, task text, payload jsonb, queue text, priority int,
               run_at timestamptz, key text, max_attempts int, timeout_ms bigint, traceparent text)
         ORDER BY l.task, l.key, l.line) r
