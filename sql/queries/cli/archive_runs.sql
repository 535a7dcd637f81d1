-- $1 status, $2 task, $3 queue, $4 created before (epoch), $5 limit, $6 where the last one ended, $7 reason, $8 key, $9 part of the error, $10 worker;
-- $11 and $12 are not used.
SELECT changed, locked, refused, next, extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())::float8, $11::text, $12::text
  FROM dormouse.archive_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::text, $7::text, $8::text, $9::text, $10::uuid)
