#!/bin/bash
# Stopping the target arms nothing, takes away what was armed and forgets the counts, also when the stop comes while the
# worker is just leaving; restarting the target does not lose the pool.
source "$(dirname "$0")/../lib.sh"
pool=due-stopped
use_pool $pool
stand_in $pool <<'WORKER'
case $(cat /etc/dormouse-test/due-stopped.mode) in
stay) trap 'due 100; exit 0' TERM; while :; do read -r -t 1 <> <(:) || :; done ;;
late) due 3600000 ;;
soon) due 30 ;;
esac
WORKER
mode() { echo "$1" >/etc/dormouse-test/due-stopped.mode; }
quiet() { asleep $pool && armed_count_is $pool 0 && [ -z "$(systemctl list-jobs --plain --no-legend "*$pool*")" ]; }

mode stay
systemctl start dormouse@$pool.target
wait_for 20 starts_are $pool 1
stop_pool $pool
equal "timers after the stop of a running worker" "$(armed $pool)" ""
say "   $(helper_said $pool)"

mode late
systemctl start dormouse@$pool.target
wait_for 20 starts_are $pool 2
wait_for 20 armed_count_is $pool 1
wait_for 20 asleep $pool # the timer is armed a moment before the service has ended
mode stay
systemctl restart dormouse@$pool.target
wait_for 20 starts_are $pool 3
holds "the target is active again" state_is dormouse@$pool.target active
stop_pool $pool
equal "timers after the stop" "$(armed $pool)" ""
holds "no state is left" not compgen -G "/run/dormouse/$pool.[ft]*"

rounds=${DORMOUSE_STOP_ROUNDS:-20}
# The worker leaves, the timer fires and the stop comes, all within the same milliseconds.
mode soon
for _ in $(seq "$rounds"); do
    systemctl start dormouse@$pool.target
    for _ in $(seq $((RANDOM % 12))); do systemctl is-active --quiet dormouse@$pool.service || true; done
    systemctl stop dormouse@$pool.target
    wait_for 20 quiet
    before=$(starts $pool)
done
holds "$rounds stops around the exit: nothing armed, nothing queued" quiet
equal "nobody came back" "$(starts $pool)" "$before"
