#!/bin/bash
# Many pools on a host as it comes (300 with --full): with the package's sysctl file all of their doorbells stand; without, systemd runs out
# of inotify instances. An administrator's own number counts more.
source "$(dirname "$0")/../lib.sh"
need_worker
many=100
if [ -n "${DORMOUSE_FULL:-}" ]; then many=300; fi
mount -o remount,rw,bind /proc/sys # a container's is not to be written; the number is the whole machine's
before=$(sysctl -n fs.inotify.max_user_instances)
at_end "sysctl -q -w fs.inotify.max_user_instances=$before; mount -o remount,ro,bind /proc/sys"
mapfile -t doorbells < <(seq -f 'dormouse@many%.0f.path' $many; seq -f 'dormouse@many%.0f.socket' $many)
at_end "systemctl stop 'dormouse@many*.path' 'dormouse@many*.socket'; systemctl reset-failed"
apply() { /usr/lib/systemd/systemd-sysctl --prefix=/fs/inotify; }
count() { systemctl list-units --all --plain --no-legend --state="$2" "dormouse@many*.$1" | wc -l; }
# doorbells alone: so many workers would say nothing more
sysctl -q -w fs.inotify.max_user_instances=128
systemctl start "${doorbells[@]}" 2>/dev/null || true
holds "with the kernel's number some doorbells fail" [ "$(count path failed)" -gt 0 ]
apply
systemctl reset-failed
systemctl start "${doorbells[@]}"
equal "doorbells that stand" "$(count path active), $(count socket active)" "$many, $many"
equal "failed" "$(count path failed), $(count socket failed)" "0, 0"
echo 'fs.inotify.max_user_instances = 9000' >/etc/sysctl.d/60-own.conf
at_end rm -f /etc/sysctl.d/60-own.conf
apply
equal "an administrator's number" "$(sysctl -n fs.inotify.max_user_instances)" 9000
