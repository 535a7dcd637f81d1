#!/bin/bash
# Through the relay every INSERT is a ring, whatever the worker is doing: plain SQL, nobody rings, no timer is left to rescue.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../level.sh"
pool=relay-level
use_pool $pool
no_rescue
need_worker
new_database $pool
configure $pool <<<"$short"
systemctl enable --quiet "dormouse-relay@$pool.service"
at_end systemctl disable --quiet "dormouse-relay@$pool.service"
systemctl start dormouse@$pool.target
listens() { [[ $(property "dormouse-relay@$pool.service" StatusText) == "listens at "* ]]; }
wait_for 20 listens
send() { enqueue "$1"; }
level_phases
equal "started and stopped with its target: restarts" "$(property "dormouse-relay@$pool.service" NRestarts)" 0
wait_for 20 listens
