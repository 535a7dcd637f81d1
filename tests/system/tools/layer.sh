#!/bin/bash
# layer.sh FILE.tar: what has to be laid over this machine's root, so that the tools of packages.txt and package.json are there: boot.sh unpacks it
# in a container (DORMOUSE_SYSTEM_LAYER). This machine itself is left as it is. Needs the network; made once, and anew when the packages of this
# machine or the lists have changed. Exits 77 with the reason where it cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
layer=$1

skip() { printf 'SKIPPED: %s\n' "$*"; exit 77; }
key() { cat /var/lib/dpkg/status "$here"/packages.txt "$here"/package*.json "$here/layer.sh" | sha256sum; }

# In a mount namespace of its own: an overlay cannot be written below what it lies over, so it is written in memory.
if [ "${2:-}" = inside ]; then
    work=$(mktemp -d)
    mount -t tmpfs -o size=6g tmpfs "$work"
    mkdir -p "$work"/{upper,work,root}
    mount -t overlay overlay -o "redirect_dir=off,metacopy=off,lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
    for directory in proc dev; do mount --rbind "/$directory" "$work/root/$directory"; done
    for directory in run tmp; do mount -t tmpfs tmpfs "$work/root/$directory"; done # others work in this machine's
    mapfile -t packages < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/packages.txt")
    printf '#!/bin/sh\nexit 101\n' | install -m 0755 /dev/stdin "$work/root/usr/sbin/policy-rc.d"
    chroot "$work/root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 sh -ec '
        apt-get update
        apt-get install --yes --no-install-recommends "$@"
        apt-get clean
        rm /usr/sbin/policy-rc.d' sh "${packages[@]}"
    mkdir -p "$work/root/srv/tools/node"
    cp "$here"/package*.json "$work/root/srv/tools/node/"
    npm ci --prefix "$work/root/srv/tools/node" --no-audit --no-fund --ignore-scripts || echo "npm ci failed: the tools of npm are not there"
    rm -rf "$work/root"/var/lib/apt/lists/*
    umount --recursive "$work/root"
    tar --create --file "$layer.new" --xattrs --xattrs-include='trusted.overlay.*' --acls --directory "$work/upper" .
    exit 0
fi

[ "$(cat "$layer.key" 2>/dev/null)" != "$(key)" ] || exit 0
[ "$(id -u)" = 0 ] || skip "the tools can be installed by root only"
command -v apt-get >/dev/null || skip "the tools are packages of Debian"
rm -f "$layer" "$layer.new" "$layer.key"
mkdir -p "$(dirname "$layer")"
unshare --mount --propagation private "$0" "$layer" inside >"$layer.log" 2>&1 </dev/null || {
    tail -n 5 "$layer.log"
    skip "the tools could not be installed here (no network?), see $layer.log"
}
mv "$layer.new" "$layer"
key >"$layer.key"
