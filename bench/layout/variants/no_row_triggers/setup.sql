DROP TRIGGER run_changes_status ON dormouse.runs;
DROP TRIGGER own_key ON dormouse.runs_live;
