-- $1 id, $2 reason.
SELECT dormouse.cancel($1::uuid, $2::text)
