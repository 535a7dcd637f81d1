#!/bin/bash
# "none" arms nothing and takes the older timer away; a newer due time replaces the older one.
source "$(dirname "$0")/../lib.sh"
pool=due-none
use_pool $pool
stand_in $pool <<'WORKER'
case $starts in
1) due 3600000 ;;
2) due 7200000 ;;
*) due none ;;
esac
WORKER
systemctl start dormouse@$pool.target
wait_for 20 starts_are $pool 1
wait_for 20 asleep $pool
equal "armed for" "$(armed_for "$(armed $pool)")" 1h
run_once $pool
wait_for 20 armed_count_is $pool 1
equal "armed for" "$(armed_for "$(armed $pool)")" 2h
run_once $pool
wait_for 20 armed_count_is $pool 0
