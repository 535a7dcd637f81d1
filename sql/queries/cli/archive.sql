-- $1 id, $2 reason.
SELECT dormouse.archive($1::uuid, $2::text)
