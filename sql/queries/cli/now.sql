-- The database's clock, which all times in answers are compared with.
SELECT extract(epoch FROM clock_timestamp())
