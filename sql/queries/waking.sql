-- Whether a transaction is between its wake (local_wake.sql) and the end of its commit: it holds this lock, shared. What it has inserted
-- is seen by a statement that is sent after this one has said no. Whoever may connect can take such a lock; only who has also inserted, and so
-- locks runs_live for writing, counts.
WITH held AS MATERIALIZED (
    SELECT l.virtualtransaction, l.locktype, l.classid, l.objid, l.objsubid, l.relation, l.mode
      FROM pg_locks l
     WHERE l.granted AND l.locktype IN ('advisory', 'relation')
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT EXISTS (SELECT FROM held h JOIN held r ON r.virtualtransaction = h.virtualtransaction
                WHERE h.locktype = 'advisory' AND h.classid = 1685024365::oid AND h.objid = 1::oid AND h.objsubid = 2
                  AND r.locktype = 'relation' AND r.relation = 'dormouse.runs_live'::regclass::oid AND r.mode = 'RowExclusiveLock')
