-- $1 id; $2 is there for the statements beside it, and not used.
SELECT dormouse.retry($1::uuid), $2::text
