#!/bin/bash
# Several pools on one queue, one pool on several queues: every pool of this machine that serves the queue is rung, no other one is, and
# each run is executed once.
source "$(dirname "$0")/../lib.sh"
need_worker
new_database several
export DORMOUSE_CONFIG_DIR=/etc/dormouse-several
mkdir -p $DORMOUSE_CONFIG_DIR
at_end rm -rf $DORMOUSE_CONFIG_DIR
pools_of() { # pools_of QUEUE: those that `dormouse enqueue` says it has rung
    dormouse enqueue work --queue "$1" --json --database-url "postgresql:///several?host=$PGHOST" | python3 -c 'import json, sys; print(*json.load(sys.stdin)["rung"])'
}
serve() { # serve POOL QUEUES
    use_pool "$1"
    configure "$1" <<<"$short
queues = $2"
    ln -sf "/etc/dormouse/$1.toml" $DORMOUSE_CONFIG_DIR/
    systemctl start "dormouse@$1.target"
    wait_for 20 asleep "$1"
}
serve several-a '["mail"]'
serve several-b '["mail", "print"]'
serve several-c '["print"]'
activations_of_each() { echo "$(activations several-a) $(activations several-b) $(activations several-c)"; }
activated() { [ "$(activations_of_each)" = "$1" ]; }
read -r a b c <<<"$(activations_of_each)"
equal "rung for mail" "$(pools_of mail)" "several-a several-b"
wait_for 20 activated "$((a + 1)) $((b + 1)) $c"
wait_for 20 all_completed
wait_for 20 asleep several-a
wait_for 20 asleep several-b
equal "starts: one more of each pool that serves it, none of the other" "$(activations_of_each)" "$((a + 1)) $((b + 1)) $c"
equal "rung for print" "$(pools_of print)" "several-b several-c"
wait_for 20 all_completed

# Both awake for the same queues, many runs: none is left, none is executed twice.
for queue in mail print; do sql "SELECT count(dormouse.enqueue('work', queue => '$queue')) FROM generate_series(1, 200)" >/dev/null; done
for pool in several-a several-b several-c; do ring $pool; done
wait_for 60 all_completed
equal "runs" "$(sql "SELECT count(*) FROM dormouse.runs")" 402
# One that is idle gets what another has claimed ahead: that goes back, and was not executed.
equal "attempts" "$(sql "SELECT count(*) FROM dormouse.attempts WHERE outcome <> 'handed_back'")" 402
say "executed by each: $(sql "SELECT string_agg(pool || ' ' || n, ', ' ORDER BY pool) FROM (SELECT w.pool, count(*) n FROM dormouse.attempts a JOIN dormouse.workers w ON w.id = a.worker GROUP BY 1) x")"
