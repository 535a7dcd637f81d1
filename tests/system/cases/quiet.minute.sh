#!/bin/bash
# Over a quiet minute a sleeping pool costs 0 processes, 0 sessions and 0 statements, also one that Postgres rings by itself (local
# wake), and an idle worker that is awake sends nothing: a proxy between it and Postgres counts the bytes.
source "$(dirname "$0")/../lib.sh"
seconds=${DORMOUSE_QUIET_SECONDS:-60}
port=15432 counter=/run/dormouse-test-bytes
systemd-run --quiet --unit=dormouse-test-proxy --property=Type=exec /usr/bin/python3 "$(dirname "$0")/../proxy.py" $port $counter
at_end "systemctl stop dormouse-test-proxy.service"
wait_for 20 test -s $counter

new_pool awake
configure awake "postgresql://pool@127.0.0.1:$port/awake" <<<'idle_exit = "1h"
look_exit = "1h"'
systemctl restart dormouse@awake.service
run=$(enqueue work)
ring awake
wait_for 20 completed "$run"
awake_database=$database

new_pool asleep
run=$(enqueue work)
ring asleep
wait_for 20 completed "$run"
wait_for 20 asleep asleep

systemctl enable --quiet --now run-dormouse.wake.mount
at_end systemctl disable --quiet --now run-dormouse.wake.mount
new_pool rung
dormouse migrate --local-wake --database-url "postgresql:///$database?host=$PGHOST" >/dev/null
wait_for 20 asleep rung
run=$(enqueue work)
wait_for 20 completed "$run"
wait_for 20 asleep rung

database=$awake_database
quiet_now() { # nothing passed for half a second: the last answer is in
    local before
    before=$(cat $counter)
    sleep 0.5 # half a second without a byte is the very thing
    [ "$(cat $counter)" = "$before" ]
}
wait_for 20 quiet_now
reset_statements
bytes=$(cat $counter)
sessions_until_now() { database=postgres sql "SELECT sum(sessions) FROM pg_stat_database WHERE datname IN ('asleep', 'rung')"; }
began=$(sessions_until_now)
sleep "$seconds" # the minute that is measured
for pool in asleep rung; do
    equal "$pool: processes" "$(processes dormouse@$pool.service)" 0
    equal "$pool: sessions" "$(database=postgres sql "SELECT count(*) FROM pg_stat_activity WHERE datname = '$pool'")" 0
done
equal "asleep, rung: new sessions" "$(($(sessions_until_now) - began))" 0
equal "asleep, rung and awake: statements" "$(statements)" 0
equal "the doorbell that Postgres rings" "$(property dormouse@rung.path SubState)" waiting
equal "awake: sessions" "$(database=postgres sql "SELECT count(*) FROM pg_stat_activity WHERE datname = 'awake'")" 1
equal "awake: bytes in $seconds s" "$(($(cat $counter) - bytes))" 0
