-- Where the days begin that may hold what finished since $1 (epoch): the beginning of the first of them, and of the first day that there is, before which
-- runs lie in no day; both as epoch. Reads the catalogue.
SELECT extract(epoch FROM pg_catalog.max(p.since) FILTER (WHERE p.since <= to_timestamp($1::float8))),
       extract(epoch FROM pg_catalog.min(p.since) FILTER (WHERE NOT p.is_default))
  FROM dormouse.partitions_of('dormouse.runs_finished') p
