-- Which database of which running server this is: the same for every way that leads there.
SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text || ' ' || d.oid::text
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
