-- This session is told of the topic $1 from now on. Its channel: what a notification comes on.
SELECT u.channel FROM pg_catalog.unnest(dormouse.listen(ARRAY[$1::text])) AS u (channel)
