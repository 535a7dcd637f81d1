-- Whether a transaction is between its wake (local_wake.sql) and the end of its commit: it holds this lock, shared. What it has inserted
-- is seen by a statement that is sent after this one has said no.
SELECT EXISTS (SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND classid = 1685024365::oid AND objid = 1::oid AND objsubid = 2
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
