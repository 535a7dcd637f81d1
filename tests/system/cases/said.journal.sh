#!/bin/bash
# What a handler says is an event of the journal with the run's id, task, attempt and level.
source "$(dirname "$0")/../lib.sh"
pool=said
need_worker
use_pool $pool
new_database $pool
configure $pool <<TOML
$short
[task.talk]
handler = "exec"
command = ["/bin/sh", "-c", "echo from stderr >&2; echo '{\"type\":\"log\",\"level\":\"warning\",\"text\":\"beware\"}' >&\$DORMOUSE_CONTROL_FD"]
TOML
systemctl start dormouse@$pool.target
run=$(enqueue talk)
ring $pool
wait_for 20 completed "$run"
entry() { journalctl --quiet --no-pager --output=json DORMOUSE_EVENT=run_log DORMOUSE_RUN_ID="$run" | grep "$1"; }
wait_for 20 entry 'from stderr' >/dev/null
field() { entry "$1" | grep -o "\"$2\":\"[^\"]*\""; }
equal "the task" "$(field 'from stderr' DORMOUSE_TASK)" '"DORMOUSE_TASK":"talk"'
equal "the attempt" "$(field 'from stderr' DORMOUSE_ATTEMPT)" '"DORMOUSE_ATTEMPT":"1"'
equal "the level of a line on stderr is info" "$(field 'from stderr' PRIORITY)" '"PRIORITY":"6"'
equal "a warning says so" "$(field beware PRIORITY)" '"PRIORITY":"4"'
# whoever searches the text alone
found() { journalctl --quiet --no-pager --output=cat --unit=dormouse@$pool.service --since="$case_began" --grep="$1"; }
holds "the run's id is in the text" grep -q "^run_completed: talk .*run_id=$run" <<<"$(found "$run")"
holds "how many at once" grep -q "^tasks_loaded: .* concurrency=4" <<<"$(found tasks_loaded)"
stopped() { found graceful=true >/dev/null; }
wait_for 20 stopped
equal "the same lines are in the database" "$(sql "SELECT string_agg(level || ' ' || text, ', ' ORDER BY text) FROM dormouse.logs WHERE run_id = '$run'")" \
    "warning beware, info from stderr"
