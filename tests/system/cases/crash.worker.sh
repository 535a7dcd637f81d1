#!/bin/bash
# The worker in its unit is killed in the middle of what it does there alone: run cgroups, and the last steps before its helper.
# systemd starts it again, and what was in flight is completed, rung by nobody.
source "$(dirname "$0")/../lib.sh"
pool=crash-worker
service=dormouse@$pool.service
need_worker
grep -q DORMOUSE_CRASH_AT /usr/bin/dormouse || { say "SKIPPED: this build has no crash points"; exit 77; }
new_pool $pool
wait_for 20 asleep $pool
# shellcheck source=tests/system/crash.sh
source "$(dirname "$0")/../crash.sh"

no_cgroup_left() { [ -z "$(find /sys/fs/cgroup -path "*/$service/*" -print -quit)" ]; }

# dies_at POINT: the next worker dies there; a run that is due, one that is due later and a spooled one are completed.
dies_at() {
    local before due later
    before=$(deaths)
    crash_at "$1"
    due=$(enqueue work)
    later=$(enqueue work "delay => '2 s'")
    printf '{"task": "work"}' >"/var/spool/dormouse/$pool/.file"
    mv "/var/spool/dormouse/$pool/.file" "/var/spool/dormouse/$pool/file.json"
    ring $pool
    wait_for 30 died_since "$before"
    crash_nowhere
    wait_for 60 completed "$due"
    wait_for 60 completed "$later"
    wait_for 60 all_completed
    holds "$1: the spool is empty" spool_is_empty
    wait_for 30 asleep $pool
    wait_for 10 no_cgroup_left
    equal "$1: runs" "$(sql "SELECT count(*) FROM dormouse.runs")" "$((3 * ++points))"
    equal "$1: completed attempts" "$(sql "SELECT count(*) FROM dormouse.attempts WHERE outcome = 'completed'")" $((3 * points))
}
points=0
dies_at run_cgroup.made
dies_at run_cgroup.empty
dies_at exit.decided
dies_at leave.sent
dies_at due_file.renamed
dies_at pool.stopped

# The worker is killed, and the one that systemd starts after it dies while it takes back what its predecessor held.
configure $pool <<<'idle_exit = "5s"
look_exit = "5s"'
# successor_dies_at POINT
successor_dies_at() {
    local before due
    before=$(deaths)
    crash_at "$1"
    due=$(enqueue work)
    ring $pool
    wait_for 20 has_session
    wait_for 20 kill_worker $pool
    wait_for 30 died_since $((before + 1))
    crash_nowhere
    wait_for 60 completed "$due"
    wait_for 30 asleep $pool
    say "ok: $1: completed"
}
successor_dies_at rescue_own.sent
successor_dies_at rescue_own.answered
say "attempts lost: $(sql "SELECT count(*) FROM dormouse.attempts WHERE outcome = 'lost'")"
