-- Records a clean end, before the session closes.
UPDATE dormouse.worker_registry SET state = 'left', left_at = now() WHERE id = $1
