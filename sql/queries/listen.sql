-- This session is told of the topics $1 from now on. The channel of each, in their order: what a notification comes on.
SELECT u.channel FROM pg_catalog.unnest(dormouse.listen($1::text[])) WITH ORDINALITY AS u (channel, place) ORDER BY u.place
