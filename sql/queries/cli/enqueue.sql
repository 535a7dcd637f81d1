-- $1 task, $2 payload, $3 queue, $4 priority, $5 run_at (epoch), $6 delay (ms), $7 key, $8 max_attempts, $9
-- timeout (ms), $10 watched. Commits by itself.
SELECT dormouse.enqueue(task => $1::text, payload => $2::jsonb, queue => $3::text, priority => $4::int,
                        run_at => to_timestamp($5::float8), delay => $6::bigint::float8 * interval '1 ms', key => $7::text,
                        max_attempts => $8::int, timeout => $9::bigint::float8 * interval '1 ms', watched => $10::boolean)
