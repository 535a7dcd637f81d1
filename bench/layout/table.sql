-- The Markdown table from the JSON lines in `result`: medians, with min and max, and the median of each round's ratio to ours
-- (the rounds follow each other in the file; other people's load differs from round to round).
\pset footer off
SELECT '| variant | form | sessions | batch | runs/s median (min–max) | × ours | server CPU µs/run | WAL bytes/run | live heap MB | its indexes MB | claim round trip ms p50 / p99 | load |';
SELECT '|---|---|---|---|---|---|---|---|---|---|---|---|';
WITH figure AS (
    SELECT line->>'variant' AS variant, line->>'form' AS form, (line->>'sessions')::int AS sessions, (line->>'batch')::int AS batch,
           (line->>'runs_per_s')::int AS rate, line,
           row_number() OVER (PARTITION BY line->>'variant', line->>'form', line->>'sessions', line->>'batch' ORDER BY ctid) AS round
      FROM result
)
SELECT format('| %s | %s | %s | %s | %s (%s–%s) | %s | %s | %s | %s | %s | %s / %s | %s |', variant, form, sessions, batch,
              percentile_disc(0.5) WITHIN GROUP (ORDER BY f.rate), min(f.rate), max(f.rate),
              round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.rate::float / ours.rate))::numeric, 2),
              percentile_disc(0.5) WITHIN GROUP (ORDER BY (f.line->>'server_cpu_us')::numeric),
              percentile_disc(0.5) WITHIN GROUP (ORDER BY (f.line->>'wal_per_run')::int),
              round(percentile_disc(0.5) WITHIN GROUP (ORDER BY (f.line->>'heap_bytes')::numeric) / 1e6, 1),
              round(percentile_disc(0.5) WITHIN GROUP (ORDER BY (f.line->>'index_bytes')::numeric) / 1e6, 1),
              percentile_disc(0.5) WITHIN GROUP (ORDER BY (f.line->>'claim_ms_p50')::numeric),
              percentile_disc(0.5) WITHIN GROUP (ORDER BY (f.line->>'claim_ms_p99')::numeric),
              percentile_disc(0.5) WITHIN GROUP (ORDER BY (f.line->>'load')::numeric))
  FROM figure f
  LEFT JOIN (SELECT form, sessions, batch, round, rate FROM figure WHERE variant = 'ours') ours USING (form, sessions, batch, round)
 GROUP BY variant, form, sessions, batch
 ORDER BY form DESC, sessions, batch, variant <> 'ours', variant;
