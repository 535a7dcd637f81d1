#!/bin/bash
# cross.sh ARCHITECTURE COMMAND…: runs a command of this tree, as root, where all is there that builds for another architecture of Debian. On
# this machine that would replace packages (libpq-dev is there for one architecture at a time), so it is a root of its own, of this
# machine's release: build/cross-ARCHITECTURE, made once, from the network.
# Exits with 77 and the reason when this machine cannot.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
architecture=$1
shift
cross=$root/build/cross-$architecture
cannot() {
    printf 'SKIPPED: nothing can be built for %s here: %s\n' "$architecture" "$*"
    exit 77
}

[ "$(id -u)" = 0 ] || cannot "a root to do it in is made by root only"
command -v debootstrap >/dev/null || cannot "needs debootstrap (Debian package debootstrap; ./dev setup)"
# shellcheck source=/dev/null
release=$(. /etc/os-release && [ "$ID" = debian ] && printf '%s\n' "${VERSION_CODENAME:-}") || cannot "this is no Debian"
if [ "${inside_cross:-}" != yes ]; then
    export inside_cross=yes
    exec unshare --mount --propagation private "$0" "$architecture" "$@"
fi

# All mounts are in this mount namespace, gone with it.
in_root() { # in_root ROOT DIRECTORY WORD…, the words as env takes them
    chroot "$1" /usr/bin/env -i --chdir="$2" PATH=/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "${@:3}"
}
if [ ! -d "$cross" ]; then
    say "cross: makes $cross, a root that builds for $architecture"
    log=$cross.log
    needed=$(sed -n '/^# --- to build/,/^# --- to test/p' "$root/scripts/packages.txt" | grep -v '^#' | xargs)
    rm -rf "$cross.new"
    mkdir -p "${cross%/*}"
    {
        debootstrap --variant=minbase "$release" "$cross.new" http://deb.debian.org/debian &&
            cp /etc/resolv.conf "$cross.new/etc/resolv.conf" &&
            mount -t proc proc "$cross.new/proc" &&
            in_root "$cross.new" / DEBIAN_FRONTEND=noninteractive architecture="$architecture" needed="$needed" release="$release" sh -ec '
                dpkg --add-architecture "$architecture"
                apt-get update
                for package in $needed; do # libraries are of that architecture, but for those that are of all
                    case $package in lib* | *-dev) apt-cache show "$package" | grep -q "^Architecture: all" || package=$package:$architecture ;; esac
                    packages="$packages $package"
                done
                apt-get install --yes --no-install-recommends $packages crossbuild-essential-"$architecture" python3 dpkg-dev file rpm lintian
                # That of Debian 12 cannot make a process with a pidfd (CLONE_PIDFD), which handlers are.
                echo "deb http://deb.debian.org/debian $release-backports main" >/etc/apt/sources.list.d/backports.list
                apt-get update
                apt-get install --yes --no-install-recommends --target-release "$release-backports" qemu-user
                apt-get clean' &&
            umount "$cross.new/proc"
    } >"$log" 2>&1 || {
        umount "$cross.new/proc" 2>/dev/null || true
        rm -rf "$cross.new"
        tail -n 20 "$log"
        cannot "the root could not be made (no network?), see $log"
    }
    mv "$cross.new" "$cross"
fi
mkdir -p "$cross$root" "$cross/root/.cache" "${HOME:-/root}/.cache"
mount --bind "$root" "$cross$root"
mount --bind "${HOME:-/root}/.cache" "$cross/root/.cache" # ccache's
mount -t proc proc "$cross/proc"
kept=()
for name in $(compgen -e | grep -E '^(DORMOUSE_.*|SOURCE_DATE_EPOCH)$'); do kept+=("$name=${!name}"); done
in_root "$cross" "$root" inside_cross=yes "${kept[@]}" "$@"
