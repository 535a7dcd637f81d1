#!/bin/bash
# A due file beside a worker that was killed or failed is not believed: who wrote it did not know what came after.
source "$(dirname "$0")/../lib.sh"
pool=due-stale
use_pool $pool
stand_in $pool <<'WORKER'
case $starts in
1) due 3600000; kill -KILL $$ ;;
2) due 3600000; exit 1 ;;
3) due 3600000; kill -TERM $$ ;;
*) due none ;;
esac
WORKER
# Restart= would bring the next one in between.
drop_in $pool no-restart <<'DROPIN'
[Service]
Restart=no
DROPIN
settled() { state_is "dormouse@$pool.service" failed || asleep $pool; }
n=1
systemctl start dormouse@$pool.target
for what in SIGKILL "exit 1" SIGTERM; do
    wait_for 20 starts_are $pool $n
    wait_for 20 settled
    wait_for 20 armed_count_is $pool 1
    equal "$what: end $n" "$(armed_for "$(armed $pool)")" "$((5 * 2 ** n))s"
    say "   $(helper_said $pool)"
    systemctl reset-failed "dormouse@$pool.service" 2>/dev/null || true
    systemctl start "dormouse@$pool.service"
    n=$((n + 1))
done
wait_for 20 starts_are $pool 4
wait_for 20 armed_count_is $pool 0
