#!/bin/bash
# The socket is a level: a ring is answered whatever the worker is doing.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../level.sh"
pool=ring-level
use_pool $pool
no_rescue
need_worker
new_database $pool
configure $pool <<<"$short"
systemctl start dormouse@$pool.target
send() {
    PGOPTIONS="-c dormouse.notify=off" enqueue "$1" # or a worker that is awake needs no ring
    ring $pool 2>/dev/null || true # nobody listens while the target is stopped; its start looks
}
level_phases
