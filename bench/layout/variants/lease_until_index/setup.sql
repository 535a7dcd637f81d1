DROP INDEX dormouse.runs_live_lease;
CREATE INDEX runs_live_lease ON dormouse.runs_live (lease_until) WHERE status = 'running';
