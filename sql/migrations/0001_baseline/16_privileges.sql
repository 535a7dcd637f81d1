-- Nobody but the owner until roles.sql says so.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dormouse FROM PUBLIC;
-- Whoever may INSERT into dormouse.runs runs these through its defaults and triggers; anybody can NOTIFY and take advisory locks anyway,
-- but what the channels are called is for those who may use this schema.
GRANT EXECUTE ON FUNCTION dormouse.new_id, dormouse.notify_queue, dormouse.notify_worker, dormouse.told_as, dormouse.nobody_listens,
    dormouse.relies, dormouse.listens, dormouse.listen, dormouse.channel TO PUBLIC;
