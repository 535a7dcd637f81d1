DROP INDEX dormouse.runs_live_claim;
CREATE INDEX runs_live_claim ON dormouse.runs_live (queue, priority, run_at) WHERE status IN ('queued', 'retry');
