#!/bin/bash
# The due time that a worker leaves starts the pool again, once, rung by nobody; also after a reload of the manager.
source "$(dirname "$0")/../lib.sh"
pool=due-fires
use_pool $pool
stand_in $pool <<'WORKER'
case $starts in
1) due 2000; date +%s%N >"$STATE_DIRECTORY/left" ;;
*) date +%s%N >"$STATE_DIRECTORY/back"; due none ;;
esac
WORKER
systemctl start dormouse@$pool.target
wait_for 20 starts_are $pool 1
wait_for 20 armed_count_is $pool 1
systemctl daemon-reload
systemctl daemon-reexec
wait_for 20 starts_are $pool 2
wait_for 20 asleep $pool
wait_for 20 armed_count_is $pool 0
equal "starts" "$(starts $pool)" 2
state=/var/lib/dormouse/$pool
say "late: $((($(cat $state/back) - $(cat $state/left)) / 1000000 - 2000)) ms (aim: at most 2000)"
holds "no record of a timer is left" not test -e /run/dormouse/$pool.timer
