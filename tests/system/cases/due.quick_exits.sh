#!/bin/bash
# Many ends one after the other leave one timer, no failed unit, and a doorbell that still works.
source "$(dirname "$0")/../lib.sh"
pool=due-quick
use_pool $pool
stand_in $pool <<'WORKER'
due 3600000
WORKER
systemctl start dormouse@$pool.target
wait_for 20 starts_are $pool 1
wait_for 20 asleep $pool
for _ in $(seq 30); do run_once $pool; done
wait_for 20 armed_count_is $pool 1
holds "socket is listening" state_is dormouse@$pool.socket active
equal "failed units" "$(systemctl list-units --failed --plain --no-legend "dormouse*")" ""
equal "due units, the timer and its service" "$(systemctl list-units --all --plain --no-legend "dormouse-due-$pool-*" | wc -l)" 2
say "helper: $(journalctl --quiet --no-pager --output=json --unit=dormouse@$pool.service --identifier=dormouse-due | wc -l) ends"
