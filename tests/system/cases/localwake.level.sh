#!/bin/bash
# The wake file is a level: an insert by plain SQL is executed whatever the worker is doing when it is committed.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../level.sh"
pool=wake-level
use_pool $pool
no_rescue
need_worker
systemctl enable --quiet --now run-dormouse.wake.mount
at_end systemctl disable --quiet --now run-dormouse.wake.mount
new_database $pool
configure $pool <<<"$short"
dormouse migrate --local-wake --database-url "postgresql:///$database?host=$PGHOST" >/dev/null
systemctl start dormouse@$pool.target
send() { enqueue "$1"; }
level_phases
wait_for 40 not test -e /run/dormouse.wake/$pool # what was written while it was awake starts it once more
wait_for 20 asleep $pool
