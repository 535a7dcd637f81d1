#!/bin/bash
# Over a quiet minute a sleeping pool with a relay costs one process, one session and 0 statements, and the relay sends nothing:
# a proxy between it and Postgres counts the bytes.
source "$(dirname "$0")/../lib.sh"
seconds=${DORMOUSE_QUIET_SECONDS:-60}
pool=quiet-relay port=15433 counter=/run/dormouse-test-relay-bytes
unit="dormouse-relay@$pool.service"
systemd-run --quiet --unit=dormouse-test-relay-proxy --property=Type=exec /usr/bin/python3 "$(dirname "$0")/../proxy.py" $port $counter
at_end "systemctl stop dormouse-test-relay-proxy.service"
wait_for 20 test -s $counter
new_pool $pool
wait_for 20 asleep $pool
configure $pool "postgresql://pool@127.0.0.1:$port/$pool" <<<"$short"
systemctl start $unit
says() { [[ $(property $unit StatusText) == *"$1"* ]]; }
wait_for 20 says "listens at "
quiet_now() { # nothing passed for half a second: the first ring has been answered
    local before
    before=$(cat $counter)
    sleep 0.5 # half a second without a byte is the very thing
    [ "$(cat $counter)" = "$before" ] && asleep $pool
}
wait_for 20 quiet_now
reset_statements
bytes=$(cat $counter)
began=$(database=postgres sql "SELECT sessions FROM pg_stat_database WHERE datname = '$pool'")
woken=$(activations $pool)
sleep "$seconds" # the minute that is measured
equal "processes of the relay" "$(processes $unit)" 1
equal "processes of the worker" "$(processes dormouse@$pool.service)" 0
equal "sessions" "$(database=postgres sql "SELECT count(*) FROM pg_stat_activity WHERE datname = '$pool'")" 1
equal "new sessions" "$(($(database=postgres sql "SELECT sessions FROM pg_stat_database WHERE datname = '$pool'") - began))" 0
equal "statements" "$(statements)" 0
equal "bytes in $seconds s" "$(($(cat $counter) - bytes))" 0
equal "worker starts" "$(($(activations $pool) - woken))" 0
