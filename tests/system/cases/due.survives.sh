#!/bin/bash
# The due time survives: SIGKILL of the worker, a database that is down when the worker leaves, a worker that cannot start.
# Each time a delayed run is completed and nobody rings.
source "$(dirname "$0")/../lib.sh"
pool=survives
service=dormouse@$pool.service
new_pool $pool 'idle_exit = "2s"
look_exit = "2s"'
has_main() { [ "$(property $service MainPID)" != 0 ]; }

run=$(enqueue work "delay => '5 s'")
ring $pool
wait_for 20 has_session
wait_for 20 kill_worker $pool
wait_for 60 completed "$run"
say "ok: after SIGKILL"
wait_for 20 asleep $pool

run=$(enqueue work "delay => '4 s'")
ring $pool
wait_for 20 has_session
systemctl stop "$postgres_unit"
systemctl stop $service
wait_for 60 asleep $pool
say "   $(helper_said $pool)"
wait_for 20 armed_count_is $pool 1
systemctl start "$postgres_unit"
wait_for 60 completed "$run"
say "ok: after an exit without a database"
wait_for 20 asleep $pool

run=$(enqueue work "delay => '20 s'") # not due before the unit is changed, however slow the machine
ring $pool
wait_for 20 has_main
wait_for 20 asleep $pool
drop_in $pool broken <<'DROPIN'
[Service]
ExecStart=
ExecStart=/usr/bin/dormouse-is-not-there worker %i
DROPIN
failed_twice() { [ "$(property $service NRestarts)" -ge 2 ]; }
wait_for 60 failed_twice
say "   $(helper_said $pool)"
rm "/etc/systemd/system/$service.d/broken.conf"
systemctl daemon-reload
wait_for 60 completed "$run"
say "ok: after a worker that could not start"
