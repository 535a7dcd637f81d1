#!/bin/bash
# A file system is mounted over the spool: an awake worker sees it at once, says so, and takes what lay below and what comes from then on; taken away again,
# the same. Asleep, it is the path unit that has to be told, by the command of docs/doorbells.md.
source "$(dirname "$0")/../lib.sh"
pool="spool-mounted"
new_pool $pool 'idle_exit = "10min"
look_exit = "10min"'
spool=/var/spool/dormouse/$pool
mounted() { mount -t tmpfs -o size=1m,mode=3770,uid="$(id -u dormouse)",gid="$(getent group dormouse-spool | cut -d: -f3)" tmpfs $spool; }
# shellcheck disable=SC2317 # called at the end
unmounted() { while mountpoint --quiet $spool; do umount --lazy $spool; done; }
at_end unmounted
wait_for 20 has_session
run=$(put_file work)
wait_for 20 completed "$run"

say "--- awake"
now_is_then
mounted
run=$(put_file work)
wait_for 20 completed "$run"
equal "said" "$(said $pool spool_replaced)" 1
say "   $(journalctl --quiet --no-pager --output=cat --unit=dormouse@$pool.service --since="$then" --grep=spool_replaced)"
mount -t tmpfs tmpfs /mnt # somebody else's
umount /mnt
run=$(put_file work)
wait_for 20 completed "$run"
equal "said, after a mount elsewhere" "$(said $pool spool_replaced)" 1

say "--- what lies below goes first"
systemctl kill --kill-whom=main --signal=STOP dormouse@$pool.service
below=$(put_file work)
printf 'no json' >$spool/bad.json
mounted
above=$(put_file work)
systemctl kill --kill-whom=main --signal=CONT dormouse@$pool.service
wait_for 30 completed "$below"
wait_for 30 completed "$above"
told_again() { [ "$(said $pool spool_replaced)" = 2 ]; }
wait_for 20 told_again

say "--- taken away again"
umount --lazy $spool
run=$(put_file work)
wait_for 20 completed "$run"
unmounted
run=$(put_file work)
wait_for 20 completed "$run"
equal "files left" "$(cd $spool && printf '%s ' *)" "* "

say "--- asleep"
sed -i 's/10min/50ms/' /etc/dormouse/$pool.toml
wait_for 60 asleep $pool
mounted
run=$(put_file work)
line=$(grep -o 'systemctl restart dormouse@POOL.path' "$(dirname "$0")/../../../docs/doorbells.md")
${line//POOL/$pool}
wait_for 20 completed "$run"
wait_for 20 asleep $pool
run=$(put_file work)
wait_for 20 completed "$run"
wait_for 20 asleep $pool
unmounted
run=$(put_file work)
${line//POOL/$pool}
wait_for 20 completed "$run"
