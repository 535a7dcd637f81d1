#!/bin/bash
# A daemon-reload while a worker leaves, as upgrades of packages do it: systemd forgets that the worker has asked for more time. The handler,
# which takes longer than half a minute, ends by itself all the same.
source "$(dirname "$0")/../lib.sh"
pool=reload
service=dormouse@$pool.service
need_worker
use_pool $pool
new_database $pool
configure $pool <<TOML
look_exit = "5min"
shutdown_grace = "45s"
[task.long]
command = ["/bin/sleep", "33"]
TOML
systemctl start dormouse@$pool.target
run=$(enqueue long)
ring $pool
running() { [ "$(status_of "$run")" = running ]; }
wait_for 20 running
systemctl stop --no-block $service
leaves() { [[ $(status_text $pool) == leaving* ]]; }
wait_for 20 leaves
systemctl daemon-reload
systemctl stop $service
equal "the run" "$(status_of "$run"), attempts $(attempts_of "$run")" "completed, attempts 1"
