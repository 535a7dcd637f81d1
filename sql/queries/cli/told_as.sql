-- $1 id. How it is called where its end and its news are told.
SELECT dormouse.told_as($1::uuid)
