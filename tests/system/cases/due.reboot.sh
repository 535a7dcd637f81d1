#!/bin/bash
# A transient timer does not survive a reboot, the due time does: every start of the target is a look.
source "$(dirname "$0")/../lib.sh"
pool=reboot
need_worker
if [ "${1:-1}" = 1 ]; then
    new_pool $pool
    systemctl enable --quiet dormouse@$pool.target
    enqueue work "delay => '20 s'" >/dev/null
    ring $pool
    wait_for 20 armed_count_is $pool 1
    trap - EXIT # the pool stays
    exit 71
fi
pools+=("$pool")
export database=$pool
wait_for 60 all_completed
equal "completed" "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'")" 1
wait_for 20 asleep $pool
