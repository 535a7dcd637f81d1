#!/bin/bash
# Many pools on a host as it comes (300 with --full): with the package's sysctl file all of their doorbells stand; without, systemd runs out of inotify
# instances. An administrator's own number counts more.
source "$(dirname "$0")/../lib.sh"
need_worker
pools=100
if [ -n "${DORMOUSE_FULL:-}" ]; then pools=300; fi
mount -o remount,rw,bind /proc/sys # a container's is not to be written; the number is the whole machine's
before=$(sysctl -n fs.inotify.max_user_instances)
at_end "sysctl -q -w fs.inotify.max_user_instances=$before; mount -o remount,ro,bind /proc/sys"
all() { seq -f "dormouse@many%.0f.$1" $pools; }
at_end "systemctl stop \$(all path) \$(all socket); systemctl reset-failed"
apply() { /usr/lib/systemd/systemd-sysctl --prefix=/fs/inotify; }
count() { systemctl list-units --all --plain --no-legend --state="$2" "dormouse@many*.$1" | wc -l; }
# path units alone: 300 workers would say nothing more
sysctl -q -w fs.inotify.max_user_instances=128
systemctl start $(all path) 2>/dev/null || true
holds "with the kernel's number some doorbells fail" [ "$(count path failed)" -gt 0 ]
apply
systemctl reset-failed
systemctl start $(all path) $(all socket)
equal "doorbells that stand" "$(count path active), $(count socket active)" "$pools, $pools"
equal "failed" "$(systemctl list-units --all --plain --no-legend --state=failed "dormouse@many*" | wc -l)" 0
echo 'fs.inotify.max_user_instances = 9000' >/etc/sysctl.d/60-own.conf
at_end rm -f /etc/sysctl.d/60-own.conf
apply
equal "an administrator's number" "$(sysctl -n fs.inotify.max_user_instances)" 9000
