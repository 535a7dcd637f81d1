DROP INDEX dormouse.runs_live_lease;
