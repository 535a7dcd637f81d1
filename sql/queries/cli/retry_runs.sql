-- As cancel_runs; $7 is not used. The first of them is due at $12 (epoch), each one after it $11 seconds later.
SELECT changed, locked, refused, next, extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())::float8, $7::text
  FROM dormouse.retry_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::text, $8::text, $9::text, $10::uuid,
                           make_interval(secs => $11::float8), to_timestamp($12::float8))
