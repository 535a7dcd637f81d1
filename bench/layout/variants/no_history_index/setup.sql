DROP INDEX dormouse.runs_finished_id;
