#!/bin/bash
# Pools whose names begin alike do not touch each other's timers and counts.
source "$(dirname "$0")/../lib.sh"
for pool in nb nb-1 nb.1; do
    use_pool $pool
    stand_in $pool <<'WORKER'
case $starts in
1) due 3600000 ;;
*) due none ;;
esac
WORKER
    systemctl start dormouse@$pool.target
    wait_for 20 starts_are $pool 1
    wait_for 20 armed_count_is $pool 1
done
run_once nb
wait_for 20 armed_count_is nb 0
equal "timers of nb-1" "$(armed nb-1 | wc -l)" 1
equal "timers of nb.1" "$(armed nb.1 | wc -l)" 1
stop_pool nb-1
equal "timers of nb.1" "$(armed nb.1 | wc -l)" 1
for name in '' .hidden -dash a/b 'a b' ../x "$(printf 'x%.0s' $(seq 64))" 'a\x2db' a.sock; do
    code=0
    /usr/lib/dormouse/dormouse-due "$name" 2>/dev/null || code=$?
    equal "the name '$name' is refused with" $code 2
done
