-- As cancel_runs.
SELECT changed, locked, refused, next
  FROM dormouse.archive_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::text, $7::text)
