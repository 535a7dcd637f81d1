-- Imports the spooled runs $2 (texts of files) with the ids $1; $3 is the queue of those that name none. Indexes: primary keys of
-- imports and keys.
SELECT id, outcome, reason FROM dormouse.import_runs($1::uuid[], $2::text[], $3::text)
