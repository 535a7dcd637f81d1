#!/bin/bash
# A reboot, with everything as it is by default, while a handler is at work that would take an hour: the machine does not wait for it
# (the harness gives it a minute), and the run is handed back, uncounted, and executed again after the boot.
source "$(dirname "$0")/../lib.sh"
pool=reboot-at-work database=reboot-at-work
at_work() { [ "$(status_of "$(cat /var/lib/reboot-at-work)")" = running ]; }
if [ "$1" = 1 ]; then
    need_worker
    use_pool $pool
    new_database $pool
    slow=3600 configure $pool </dev/null
    # What the unit says of postgresql.service, for the server of these tests: it is there until the worker has handed its runs back.
    drop_in $pool order <<<"[Unit]
After=$postgres_unit"
    systemctl enable --quiet --now dormouse@$pool.target
    enqueue slow >/var/lib/reboot-at-work
    ring $pool
    wait_for 20 at_work
    trap - EXIT # the pool stays
    date +%s >/var/lib/reboot-began
    exit 71
fi
say "down and up again after $(($(date +%s) - $(cat /var/lib/reboot-began))) s (aim: 30 s for the handler)"
pools+=("$pool")
wait_for 30 at_work
run=$(cat /var/lib/reboot-at-work)
equal "its attempt" "$(sql "SELECT string_agg(outcome, ' ') FROM dormouse.attempts WHERE run_id = '$run' AND outcome <> 'running'")" handed_back
equal "attempts used up by it" "$(attempts_of "$run")" 0
sql "UPDATE dormouse.runs SET status = 'canceled' WHERE id = '$run'"
