-- What dormouse.scale() has said of the pool $1, over or not. Whoever asks waits for his first runs, on a server process that has just started: the plainest
-- statement there is (about 1 ms of its processor time on a busy machine; 3 ms from the view dormouse.scaled). What counts of it, as in that view: part_answers.cpp. Index pool_scale_pkey.
SELECT s.concurrency, s.until, s.set_by, now() FROM dormouse.pool_scale s WHERE s.pool = $1::text
