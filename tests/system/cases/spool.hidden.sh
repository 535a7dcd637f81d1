#!/bin/bash
# A file system is mounted over the spool while no worker is awake: doctor and status see what lies below and say how it becomes runs, and the next worker says
# that its spool is on another file system than before.
source "$(dirname "$0")/../lib.sh"
pool="spool-hidden"
new_pool $pool
spool=/var/spool/dormouse/$pool
# shellcheck disable=SC2317 # called at the end
unmounted() { while mountpoint --quiet $spool; do umount --lazy $spool; done; }
at_end unmounted
wait_for 60 asleep $pool # it has made the spool
run=$(put_file work)
wait_for 30 completed "$run"
wait_for 60 asleep $pool
seen() { dormouse status --json | python3 -c 'import json, sys; print(*[p["hidden"] for p in json.load(sys.stdin)["pools"] if p["pool"] == sys.argv[1]])' $pool; }
equal "hidden, before" "$(seen)" 0

say "--- mounted while the pool is off"
systemctl stop dormouse@$pool.target
first=$(put_file work)
second=$(put_file work)
printf 'no run' >$spool/readme.txt
mount -t tmpfs -o "size=1m,mode=3770,uid=$(id -u dormouse),gid=$(getent group dormouse-spool | cut -d: -f3)" tmpfs $spool
equal "hidden" "$(seen)" 2
line=$(dormouse doctor | grep -- "spool of pool $pool") || true
say "   $line"
[[ $line = *"2 files that would be runs lie below what is mounted at $spool, where no worker sees them"* ]] || fail "doctor: $line"
runuser -u nobody -- dormouse status --json >/dev/null || true # who may not look sees none, and nothing breaks

say "--- the next worker says so, once"
now_is_then
systemctl start dormouse@$pool.target
dormouse wake $pool
told() { [ "$(said $pool spool_replaced)" = 1 ]; }
wait_for 20 told
say "   $(journalctl --quiet --no-pager --output=cat --unit=dormouse@$pool.service --since="$then" --grep=spool_replaced)"
wait_for 60 asleep $pool
before=$(activations $pool)
dormouse wake $pool
again() { [ "$(activations $pool)" -gt "$before" ]; }
wait_for 20 again
wait_for 60 asleep $pool
equal "said" "$(said $pool spool_replaced)" 1

say "--- the remedy"
remedy=${line#*sees them; }
say "   $remedy"
eval "$remedy"
wait_for 30 completed "$first"
wait_for 30 completed "$second"
equal "hidden, afterwards" "$(seen)" 0
