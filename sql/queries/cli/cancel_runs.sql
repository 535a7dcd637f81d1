-- $1 status, $2 task, $3 queue, $4 created before (epoch), $5 limit, $6 where the last one ended, $7 reason.
SELECT changed, locked, refused, next
  FROM dormouse.cancel_runs($1::text, $2::text, $3::text, NULL, to_timestamp($4::float8), $5::int, $6::text, $7::text)
