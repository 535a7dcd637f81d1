-- As cancel_runs; $7 is not used.
SELECT changed, locked, refused, next, $7::text
  FROM dormouse.retry_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::text)
