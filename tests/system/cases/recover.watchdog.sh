#!/bin/bash
# A worker that is idle tells systemd in time that it lives; one that hangs does not, and its successor does what waits.
source "$(dirname "$0")/../lib.sh"
pool=hangs
need_worker
use_pool $pool
drop_in $pool watchdog <<'DROPIN'
[Service]
WatchdogSec=2s
DROPIN
new_database $pool
configure $pool <<<'look_exit = "5min"'
systemctl start dormouse@$pool.target
main_pid() { property dormouse@$pool.service MainPID; }
wait_for 20 has_session
idle=$(main_pid)
heard_ms() { echo $(($(property dormouse@$pool.service WatchdogTimestampMonotonic) / 1000)); }
first=$(heard_ms)
two_periods_later() { [ "$(heard_ms)" -gt $((first + 4000)) ]; }
wait_for 20 two_periods_later
equal "the idle worker is still" "$(main_pid)" "$idle"

kill -STOP "$idle"
run=$(enqueue work)
another_one() { local pid; pid=$(main_pid); [ "$pid" -gt 1 ] && [ "$pid" != "$idle" ]; }
wait_for 30 another_one
wait_for 30 completed "$run"
equal "restarts" "$(property dormouse@$pool.service NRestarts)" 1
equal "what the helper was told" "$(helper_said $pool | grep -o "ended with watchdog")" "ended with watchdog"
