WITH input AS (
    SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::smallint[],
                         $9::bigint[], $10::bigint[], $11::boolean[])
        AS i (id, fence, status, result, error, exit_code, signal, cpu_ms, peak_memory_bytes, counts)
)
UPDATE dormouse.runs r
   SET status = i.status, result = i.result::jsonb, error = i.error::jsonb, attempts = r.attempts + i.counts::int,
       finished_at = now(), last_fence = r.fence, fence = NULL, lease_until = NULL, exit_code = i.exit_code,
       signal = i.signal, cpu_ms = i.cpu_ms, peak_memory_bytes = i.peak_memory_bytes
  FROM input i
 WHERE r.ctid = ANY (ARRAY(
       SELECT h.ctid FROM input j JOIN dormouse.runs h ON h.id = j.id
        WHERE h.fence = j.fence AND h.worker = $1
          FOR UPDATE OF h SKIP LOCKED))
   AND i.id = r.id
RETURNING r.id, CASE WHEN r.watched THEN pg_notify('dormouse:done', r.id::text) END
