-- $1 id. From here on its news are told.
-- Index runs_live_pkey.
SELECT dormouse.watch($1::uuid)
