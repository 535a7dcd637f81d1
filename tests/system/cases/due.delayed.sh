#!/bin/bash
# Twenty delayed runs, a second and a half apart, all start unrung while nobody is awake. With wake.max_sleep so does one that nobody
# has told of: the pool looks by itself.
source "$(dirname "$0")/../lib.sh"
pool=delayed
new_pool $pool
wait_for 20 asleep $pool
sql "SELECT count(dormouse.enqueue('work', delay => 2 * interval '1 s' + n * interval '1.5 s')) FROM generate_series(1, 20) n" >/dev/null
ring $pool
wait_for 20 armed_count_is $pool 1
before=$(activations $pool)
wait_for 90 all_completed
wait_for 20 asleep $pool
equal "completed" "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'")" 20
equal "early" "$(sql "SELECT count(*) FROM dormouse.runs WHERE started_at < run_at")" 0
equal "timers left" "$(armed $pool)" ""
say "activations by timer: $(($(activations $pool) - before))"
workers=$(sql "SELECT count(DISTINCT worker) FROM dormouse.attempts")
holds "no worker stayed awake for all: $workers did them" [ "$workers" -gt 1 ]
say "late: $(sql "SELECT 'median ' || round(1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY late)) || ' ms, most ' || round(1000 * max(late)) || ' ms'
    FROM (SELECT extract(epoch FROM started_at - run_at)::float AS late FROM dormouse.runs) l") (aim: at most 2000)"

configure $pool <<<"$short
[wake]
max_sleep = \"2s\""
ring $pool # it reads its file, and leaves
wait_for 20 armed_count_is $pool 1
wait_for 20 asleep $pool
run=$(PGOPTIONS="-c dormouse.notify=off" enqueue work)
wait_for 20 completed "$run"
say "wake.max_sleep = 2s: COMMIT to run started: $(sql "SELECT round(extract(epoch FROM started_at - created_at) * 1000) FROM dormouse.runs WHERE id = '$run'") ms"
