#!/bin/bash
# A doorbell that cannot come up, because somebody else has its port, when the pool is started: once the port is free the pool is
# there by itself, with the look of its start. Nobody rings.
source "$(dirname "$0")/../lib.sh"
pool=port-taken port=7301
new_pool $pool
wait_for 20 asleep $pool
at_end "rm -rf /etc/systemd/system/dormouse@$pool.socket.d; systemctl daemon-reload"
mkdir -p "/etc/systemd/system/dormouse@$pool.socket.d"
printf '[Socket]\nListenStream=127.0.0.1:%s\n' $port >"/etc/systemd/system/dormouse@$pool.socket.d/port.conf"
systemctl daemon-reload
stop_pool $pool

# 12 s: longer than systemd tries again quickly.
coproc holder { exec python3 -c "
import select, socket
with socket.create_server(('127.0.0.1', $port)):
    print('taken', flush=True)
    select.select([], [], [], 12)
"; }
holder_pid=$!
read -r taken <&"${holder[0]}"
equal "the port" "$taken" taken
holder_ended() { ! kill -0 "$holder_pid" 2>/dev/null; }
run=$(enqueue work)
due=$(enqueue work "delay => '10s'")
systemctl start dormouse@$pool.target
wait_for 20 state_is dormouse@$pool.socket failed
equal "the run that nobody can be told of" "$(status_of "$run")" queued
wait_for 30 holder_ended
wait_for 30 state_is dormouse@$pool.socket active
wait_for 30 completed "$run"
wait_for 30 completed "$due"
say "ok: the port was freed, the pool came up and looked"
wait_for 20 asleep $pool
run=$(enqueue work)
dormouse wake --to 127.0.0.1:$port >/dev/null
wait_for 20 completed "$run"
equal "units that failed" "$(systemctl list-units --failed --plain --no-legend "dormouse@$pool.*" | wc -l)" 0
