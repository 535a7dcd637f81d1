-- Claim index over every live row and no lease index, so that no index and no predicate of one mentions what a claim changes.
DROP INDEX dormouse.runs_live_claim, dormouse.runs_live_lease;
CREATE INDEX runs_live_claim ON dormouse.runs_live (queue, priority, run_at, id);
ALTER TABLE dormouse.runs_live SET (fillfactor = 50);
