#!/bin/bash
# Makes build/package-root-arm64 once: an arm64 Debian of this machine's release with what the test needs, unpacked here and configured under
# qemu-user. Needs the network, and scripts/cross.sh, whose root has qemu.
source "$(dirname "$0")/lib.sh"
arm64_root=$source_dir/build/package-root-arm64
[ ! -d "$arm64_root" ] || exit 0
log=$arm64_root.log
rm -rf "$arm64_root.new"
{
    debootstrap --foreign --arch=arm64 --variant=minbase --include=ca-certificates "$(this_release)" "$arm64_root.new" http://deb.debian.org/debian &&
        "$source_dir/tests/package/emulated.sh" "$arm64_root.new" /debootstrap/debootstrap --second-stage &&
        cp /etc/resolv.conf "$arm64_root.new/etc/resolv.conf" &&
        mkdir -p "$arm64_root.new/etc/postgresql-common/createcluster.d" &&
        echo 'create_main_cluster = off' >"$arm64_root.new/etc/postgresql-common/createcluster.d/test.conf" &&
        "$source_dir/tests/package/emulated.sh" "$arm64_root.new" sh -ec '
            apt-get update
            apt-get install --yes --no-install-recommends postgresql python3 libuv1 libpq5 libsystemd0 libcurl4 "libboost-test1.*[0-9]" systemd
            apt-get clean'
} >"$log" 2>&1 || {
    tail -n 20 "$log"
    rm -rf "$arm64_root.new"
    skip "an arm64 root could not be made here (no network?), see $log"
}
mv "$arm64_root.new" "$arm64_root"
