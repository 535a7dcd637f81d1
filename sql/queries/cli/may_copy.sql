-- Whether this login may INSERT, and the time of this transaction (epoch).
SELECT has_table_privilege('dormouse.runs', 'INSERT'), extract(epoch FROM now())
