#!/bin/bash
# The doorbell is a level over TCP, too: a ring is answered whatever the worker is doing.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../level.sh"
pool=tcp-level port=7301
use_pool $pool
no_rescue
need_worker
new_database $pool
configure $pool <<<"$short"
at_end "rm -rf /etc/systemd/system/dormouse@$pool.socket.d; systemctl daemon-reload"
mkdir -p "/etc/systemd/system/dormouse@$pool.socket.d"
printf '[Socket]\nListenStream=127.0.0.1:%s\n' $port >"/etc/systemd/system/dormouse@$pool.socket.d/tcp.conf"
systemctl daemon-reload
systemctl start dormouse@$pool.target
send() {
    PGOPTIONS="-c dormouse.notify=off" enqueue "$1" # or a worker that is awake needs no ring
    dormouse wake --to 127.0.0.1:$port >/dev/null 2>&1 || true # nobody listens while the target is stopped; its start looks
}
level_phases
