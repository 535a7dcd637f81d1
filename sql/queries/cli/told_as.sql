-- $1 id. How it is called on the channels dormouse:done and dormouse:news.
SELECT dormouse.told_as($1::uuid)
