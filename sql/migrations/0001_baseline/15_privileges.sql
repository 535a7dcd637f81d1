-- Nobody but the owner until roles.sql says so.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dormouse FROM PUBLIC;
-- Whoever may INSERT into dormouse.runs runs these through its defaults and triggers; anybody can NOTIFY and take advisory locks anyway.
GRANT EXECUTE ON FUNCTION dormouse.new_id, dormouse.notify_queue, dormouse.notify_worker, dormouse.told_as, dormouse.nobody_listens,
    dormouse.relies, dormouse.listens TO PUBLIC;
