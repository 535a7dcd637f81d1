#!/bin/bash
# The file of a pool's doorbell: gone with its pool, so that a stopped pool does not look as if it could be rung; and when somebody has removed
# it under a running pool, what the message says to do helps.
source "$(dirname "$0")/../lib.sh"
pool=socket-file
new_pool $pool
wait_for 20 asleep $pool
at_end "rm -f /etc/dormouse/$pool.toml"
overview() { dormouse status --pool $pool | sed -n "s/^$pool  *//p" | head -n 1; }
say "   $(overview)"
holds "a pool that is up has a doorbell" grep -q "here, doorbell" <<<"$(overview)"
systemctl stop dormouse@$pool.target
wait_for 20 asleep $pool
say "   $(overview)"
holds "a stopped one is off" grep -q "here, off" <<<"$(overview)"
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool

rm /run/dormouse/$pool.sock
run=$(enqueue work)
code=0
message=$(dormouse wake $pool 2>&1) || code=$?
say "   $message"
equal "exit code of a ring" "$code" 10
remedy=$(sed -n 's/.*where that is active already: //p' <<<"$message")
equal "the remedy" "$remedy" "systemctl restart dormouse@$pool.target"
$remedy
wait_for 20 completed "$run"
wait_for 20 asleep $pool
run=$(enqueue work)
ring $pool
wait_for 20 completed "$run"

stop_pool $pool
wait_for 20 state_is dormouse@$pool.socket inactive
code=0
message=$(dormouse wake $pool 2>&1) || code=$?
equal "exit code of a ring at a stopped pool" "$code" 10
remedy=$(grep -o 'systemctl enable --now [^,]*' <<<"$message")
run=$(enqueue work)
$remedy
wait_for 20 completed "$run"
