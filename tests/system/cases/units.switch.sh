#!/bin/bash
# The units are switched as said: one target per pool, and none of them switches another.
source "$(dirname "$0")/../lib.sh"
holds "the bare template cannot be enabled" not systemctl enable --quiet dormouse@.target 2>/dev/null
for pool in switch-a switch-b; do
    use_pool $pool
    stand_in $pool <<'WORKER'
due none
WORKER
    systemctl enable --quiet --now dormouse@$pool.target
    wait_for 20 starts_are $pool 1
    wait_for 20 asleep $pool
done
equal "path unit" "$(property dormouse@switch-a.path ActiveState)" active
holds "the file system of the wake files, which nobody enabled, is not there" not state_is run-dormouse.wake.mount active
systemctl disable --quiet --now dormouse@switch-a.target
wait_for 20 state_is dormouse@switch-a.socket inactive
equal "socket of the other" "$(property dormouse@switch-b.socket ActiveState)" active
holds "the other is still enabled" systemctl is-enabled --quiet dormouse@switch-b.target
holds "all pools are still started at boot" test -e /usr/lib/systemd/system/multi-user.target.wants/dormouse.target
equal "directory of the doorbells" "$(stat -c '%U %a' /run/dormouse)" "root 755"
equal "directory of the worker" "$(stat -c '%U %a' /run/dormouse/switch-b)" "dormouse 755"
equal "doorbell" "$(stat -c '%a' /run/dormouse/switch-b.sock)" 666
systemctl stop dormouse.target
wait_for 20 state_is dormouse@switch-b.socket inactive
systemctl start dormouse.target
wait_for 20 starts_are switch-b 2

systemctl enable --quiet --now run-dormouse.wake.mount
equal "file system of the wake files, enabled" "$(findmnt --noheadings --output FSTYPE /run/dormouse.wake)" tmpfs
systemctl disable --quiet --now run-dormouse.wake.mount
