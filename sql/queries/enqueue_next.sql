-- Enqueues what the runs $2 with the fences $3 ask for ($4: JSON arrays), as far as finish.sql has completed or failed them for worker $1 in this
-- transaction. Returns the queues into which runs went. Index runs_finished_id.
SELECT dormouse.enqueue_next($1::uuid, $2::uuid[], $3::bigint[], $4::text[])
