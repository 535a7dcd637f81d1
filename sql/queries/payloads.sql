-- The payloads of the runs $1 with the fences $2, held by worker $3; null for one above $4 bytes of text. No row: no longer ours. Locks nothing.
-- Index: primary key of runs_live.
SELECT h.id,
       CASE WHEN pg_catalog.pg_column_compression(h.payload) IS NULL AND pg_catalog.pg_column_size(h.payload)::bigint * 32 + 1000 <= $4::bigint THEN h.payload
            WHEN pg_catalog.pg_column_size(h.payload) <= $4::bigint * 4 THEN
                 CASE WHEN pg_catalog.pg_column_size(h.payload #> '{}'::text[])::bigint * 32 + 1000 <= $4::bigint THEN h.payload
                      WHEN pg_catalog.pg_column_size(h.payload #> '{}'::text[]) <= $4::bigint * 4 THEN
                           CASE WHEN octet_length(h.payload::text) <= $4::bigint THEN h.payload END END END
  FROM unnest($1::uuid[], $2::bigint[]) AS j (id, fence) CROSS JOIN LATERAL (
       SELECT l.id, l.payload FROM dormouse.runs_live l WHERE l.id = j.id AND l.fence = j.fence AND l.worker = $3 LIMIT 1) h
