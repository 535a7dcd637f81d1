#!/bin/bash
# systemctl restart under load: the socket stays open and refuses nobody; runs that end within the grace are attempted once, those that
# do not are handed back, uncounted, and completed by the next worker; the journal tells the truth about each end.
source "$(dirname "$0")/../lib.sh"
pool=leave
service=dormouse@$pool.service
need_worker
use_pool $pool
new_database $pool
configure $pool <<TOML
idle_exit = "2s"
look_exit = "2s"
concurrency = 8
shutdown_grace = "1s"
[task.short]
command = ["/bin/sleep", "0.3"]
[task.long]
command = ["/bin/sleep", "2"]
TOML
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
socket_since=$(property dormouse@$pool.socket ActiveEnterTimestampMonotonic)
ends() { sql "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"; }
rounds=5 refused=0
for ((i = 0; i < rounds; i++)); do
    sql "SELECT count(dormouse.enqueue(CASE n % 8 WHEN 0 THEN 'long' ELSE 'short' END)) FROM generate_series(1, 24) n" >/dev/null
    ring $pool || refused=$((refused + 1))
    running() { [ "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'running' AND task = 'long'")" -gt 0 ]; }
    wait_for 20 running
    systemctl restart --no-block $service
    for ((j = 0; j < 50; j++)); do ring $pool || refused=$((refused + 1)); done
done
wait_for 120 all_completed
wait_for 60 asleep $pool
equal "rings refused" "$refused" 0
equal "the socket stayed open" "$(property dormouse@$pool.socket ActiveEnterTimestampMonotonic)" "$socket_since"
equal "runs" "$(ends)" $((rounds * 24))
equal "attempts used up by each" "$(sql "SELECT string_agg(DISTINCT attempts::text, ' ') FROM dormouse.runs")" 1
equal "outcomes" "$(sql "SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM dormouse.attempts")" "completed handed_back"
say "handed back: $(sql "SELECT count(*) FROM dormouse.attempts WHERE outcome = 'handed_back'"), of short runs: $(sql "SELECT count(*) FROM dormouse.attempts a JOIN dormouse.runs r ON r.id = a.run_id WHERE a.outcome = 'handed_back' AND r.task = 'short'")"
stopped() { journalctl --quiet --no-pager --unit=$service --since="$case_began" --output=json | grep -c "\"DORMOUSE_GRACEFUL\":\"$1\"" || true; }
holds "each end was graceful" [ "$(stopped false)" = 0 ]
say "graceful ends: $(stopped true)"
