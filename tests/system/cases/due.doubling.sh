#!/bin/bash
# Ends without a due file, one after the other: 10 s, doubling to 10 min; a good file starts again at 10 s. The count can be
# read by the worker.
source "$(dirname "$0")/../lib.sh"
pool=due-doubling
use_pool $pool
stand_in $pool <<'WORKER'
case $starts in
9) due 3600000 ;;
*) ;;
esac
WORKER
systemctl start dormouse@$pool.target
wait_for 20 starts_are $pool 1
wait_for 20 asleep $pool
n=1
for wanted in 10s 20s 40s "1min 20s" "2min 40s" "5min 20s" 10min 10min; do
    wait_for 20 armed_count_is $pool 1
    equal "end $n" "$(armed_for "$(armed $pool)")" "$wanted"
    equal "count" "$(runuser -u dormouse -- cat /run/dormouse/$pool.failures)" $n
    run_once $pool
    n=$((n + 1))
done
wait_for 20 armed_count_is $pool 1
equal "good file" "$(armed_for "$(armed $pool)")" 1h
holds "the count is gone" not test -e /run/dormouse/$pool.failures
run_once $pool
wait_for 20 armed_count_is $pool 1
equal "unknown again" "$(armed_for "$(armed $pool)")" 10s
