#!/bin/bash
# A worker that leaves asks systemd for the time that its handlers may take (EXTEND_TIMEOUT_USEC=), so a stop timeout below that
# kills nobody: the handler ends by itself, attempted once, and only then is the service restarted.
source "$(dirname "$0")/../lib.sh"
pool=extend
service=dormouse@$pool.service
need_worker
use_pool $pool
new_database $pool
configure $pool <<TOML
look_exit = "5min"
shutdown_grace = "10s"
[task.four]
command = ["/bin/sleep", "4"]
TOML
drop_in $pool impatient <<'DROPIN'
[Service]
TimeoutStopSec=2s
DROPIN
systemctl start dormouse@$pool.target
run=$(enqueue four)
ring $pool
has_handler() { [ "$(processes $service)" = 2 ]; }
wait_for 20 has_handler
equal "the stop timeout" "$(property $service TimeoutStopUSec)" 2s
now_is_then
systemctl restart $service
equal "the run, when the restart is over" "$(status_of "$run")" completed
equal "its attempts" "$(sql "SELECT string_agg(outcome, ' ') FROM dormouse.attempts WHERE run_id = '$run'")" completed
equal "used up" "$(attempts_of "$run")" 1
equal "ends that were told" "$(said $pool worker_pool_stopped)" 1
killed() { journalctl --quiet --no-pager --output=cat --since="$then" _PID=1 UNIT=$service | grep -c -e 'timed out' -e 'Killing' || true; }
equal "what systemd says of having killed somebody" "$(killed)" 0
