#!/bin/bash
# A worker that is killed with runs in flight, whose leases end in an hour: its successor takes them back at once, and of what their
# handlers had left in the background, deaf to SIGTERM and in sessions of their own, nothing is there any more. A run that kills its
# worker each time ends as failed; those that are beside it are done in the end.
source "$(dirname "$0")/../lib.sh"
pool=killed
need_worker
use_pool $pool
new_database $pool
children=/var/lib/dormouse/$pool/children # in the unit's StateDirectory, which its handlers may write to
configure $pool <<TOML
$short
concurrency = 4
[task.wait]
command = ["/bin/sh", "-c", "setsid sh -c 'trap \"\" TERM HUP; echo \$\$ >>$children; exec sleep 1000' </dev/null >/dev/null 2>&1 & exec sleep 3"]
[task.murder]
command = ["/bin/sh", "-c", "kill -KILL \$PPID; exec sleep 5"]
max_attempts = 3
TOML
sed -i 's/^lease = .*/lease = "1h"/' /etc/dormouse/$pool.toml
# Handlers and worker have one user, so this one can do it.
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
sql "SELECT count(dormouse.enqueue('wait')) FROM generate_series(1, 4)" >/dev/null
ring $pool
all_run() { [ "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'running'")" = 4 ]; }
wait_for 20 all_run
all_have_children() { [ "$({ wc -l <$children; } 2>/dev/null)" = 4 ]; }
wait_for 20 all_have_children
mapfile -t of_the_killed <$children
killed=$EPOCHREALTIME
worker=$(property dormouse@$pool.service MainPID)
kill_worker $pool
another_worker() { case $(property dormouse@$pool.service MainPID) in 0 | "$worker") return 1 ;; esac; }
wait_for 20 another_worker
left=0
for child in "${of_the_killed[@]}"; do if [ -e "/proc/$child" ]; then left=$((left + 1)); fi; done
equal "children of the killed worker's handlers that are there beside its successor" "$left" 0
wait_for 60 all_completed
say "taken back after $(sql "SELECT round(((extract(epoch FROM min(started_at)) - $killed))::numeric, 2) FROM dormouse.attempts WHERE outcome = 'completed'") s"
equal "attempts" "$(sql "SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) n FROM dormouse.attempts WHERE outcome <> 'handed_back' GROUP BY 1) x")" "completed 4, lost 4"

murderer=$(enqueue murder)
sql "SELECT count(dormouse.enqueue('wait')) FROM generate_series(1, 3)" >/dev/null
ring $pool
failed() { [ "$(status_of "$murderer")" = failed ]; }
wait_for 120 failed
innocent_done() { [ "$(sql "SELECT count(*) FROM dormouse.runs WHERE task = 'wait' AND status <> 'completed'")" = 0 ]; }
wait_for 60 innocent_done
equal "attempts of the run that kills" "$(sql "SELECT count(*) FROM dormouse.attempts WHERE run_id = '$murderer' AND outcome = 'lost'")" 3
equal "why it failed" "$(sql "SELECT error ->> 'class' FROM dormouse.runs WHERE id = '$murderer'")" attempts_used_up
say "lost attempts of the others: $(sql "SELECT count(*) FROM dormouse.attempts WHERE run_id <> '$murderer' AND outcome = 'lost'") (4 of the first part, and those that were beside it, which had all attempts left for that)"
holds "they were lost no more often than it killed" [ "$(sql "SELECT coalesce(max(lost), 0) FROM dormouse.runs WHERE id <> '$murderer'")" -le 3 ]
