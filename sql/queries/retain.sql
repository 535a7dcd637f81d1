-- One step of retention: pool $1 wants finished runs to be kept for $2 ms (null: for ever); $3 is the worker's clock, in ms since 1970.
-- What was done (null: nothing is left to do), and what stood in the way. Indexes: runs_finished_keyed, and ..._default_age of the default partitions.
SELECT did, trouble FROM dormouse.retain($1::text, $2::bigint, to_timestamp($3::bigint::float8 / 1000::float8))
