#!/bin/bash
# Makes $clean_root once: a clean Debian with a Postgres, as its packages leave it, and what the package depends on, and what else
# a test needs, fetched but not installed. Needs the network; a test boots it over an overlay and writes nothing into it.
source "$(dirname "$0")/lib.sh"
stamp=$clean_root.made-with-dnf-rpm
[ ! -e "$stamp" ] || exit 0
[ "$(id -u)" = 0 ] || skip "a clean root can be made by root only"
command -v debootstrap >/dev/null || skip "a clean root needs debootstrap (Debian package debootstrap)"
release=${DORMOUSE_CLEAN_RELEASE:-$(this_release)}
[ -n "$release" ] || skip "a clean root is made of this machine's release of Debian, and this is none"
rm -rf "$clean_root" "$clean_root.new"
mkdir -p "${clean_root%/*}"
log=$clean_root.log
{
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus "$release" "$clean_root.new" http://deb.debian.org/debian &&
        cp /etc/resolv.conf "$clean_root.new/etc/resolv.conf" &&
        # a UTF-8 locale, as the installer would have set one: the first cluster takes its encoding from it
        chroot "$clean_root.new" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 sh -ec '
            apt-get update
            apt-get install --yes --no-install-recommends postgresql
            apt-get clean
            apt-get install --yes --download-only --no-install-recommends libuv1 libpq5 libsystemd0 libcurl4 python3 python3-psycopg2 curl
            apt-get install --yes --download-only --no-install-recommends dnf rpm || echo "no dnf in this Debian"'
} >"$log" 2>&1 || {
    tail -n 20 "$log"
    rm -rf "$clean_root.new"
    skip "a clean root could not be made here (no network?), see $log"
}
mv "$clean_root.new" "$clean_root"
touch "$stamp"
