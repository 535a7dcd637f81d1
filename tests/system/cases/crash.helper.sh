#!/bin/bash
# The helper that arms the timers is killed between any two of its steps: systemd starts the worker again, and the pool is woken
# for its due run all the same. A timer may be left that nobody remembers: it starts the pool once in vain.
source "$(dirname "$0")/../lib.sh"
pool=crash-helper
need_worker
grep -q DORMOUSE_CRASH_AT /usr/lib/dormouse/dormouse-due || { say "SKIPPED: this build has no crash points"; exit 77; }
new_pool $pool
wait_for 20 asleep $pool
# shellcheck source=tests/system/crash.sh
source "$(dirname "$0")/../crash.sh"

# dies_at POINT [COMMAND …]: the helper after the next worker dies there; nobody rings after that, and a delayed run is completed.
# COMMAND ends the worker; without one it leaves by itself.
dies_at() {
    local before run began
    before=$(deaths)
    crash_at "$1"
    run=$(enqueue work "delay => '3 s'")
    began=$(date +%s%N)
    ring $pool
    if [ $# -gt 1 ]; then "${@:2}"; fi
    wait_for 30 died_since "$before"
    crash_nowhere
    wait_for 60 completed "$run"
    say "ok: $1: completed after $((($(date +%s%N) - began) / 1000000)) ms (aim: at most 4000)"
    wait_for 30 asleep $pool
    holds "$1: there is a timer for the run of the hour" test "$(armed $pool | wc -l)" -ge 1
    say "   timers: $(armed $pool | wc -l)"
}

# Another run that is due in an hour: there is an older timer each time.
hour=$(enqueue work "delay => '1 hour'")
ring $pool
wait_for 20 armed_count_is $pool 1
dies_at due_helper.taken
dies_at due_helper.armed
dies_at due_helper.recorded
dies_at due_helper.replaced

configure $pool <<<'idle_exit = "5s"
look_exit = "5s"'
kill_it() { wait_for 20 has_session; wait_for 20 kill_worker $pool; }
before=$(deaths)
dies_at due_helper.counted kill_it
holds "both died" died_since $((before + 1))

# Nothing is due any more: the older timer goes.
configure $pool <<<"$short"
sql "DELETE FROM dormouse.runs WHERE id = '$hour'"
before=$(deaths)
crash_at due_helper.stopped
ring $pool
wait_for 30 died_since "$before"
crash_nowhere
wait_for 30 asleep $pool
holds "no record of a timer is left" not test -e /run/dormouse/$pool.timer
say "   timers: $(armed $pool | wc -l)"
