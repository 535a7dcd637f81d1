#!/bin/bash
# ./dev setup [--list | --for-demo]
# Installs through apt what building, testing and the demo need on Debian 12 and 13 (scripts/packages.txt), as root or by sudo; and from npm,
# into build/node, the drivers with which producers in Node are tested (tests/clients/node).
# Asks dpkg first: when nothing is missing it touches neither apt nor the network.
#   --list       only print what is missing
#   --for-demo   without npm and what comes from it (some hundred packages)
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

mapfile -t wanted < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$root/scripts/packages.txt")
if [ "${1:-}" != --for-demo ] && ! command -v npm >/dev/null; then wanted+=(npm); fi

# As the lock file has them. That a registry cannot be reached is no reason to build and test nothing: those tests say that they are skipped.
node_modules() {
    local from=$root/tests/clients/node to=$root/build/node
    if [ "$1" = --for-demo ] || cmp --quiet "$from/package-lock.json" "$to/installed.json"; then return; fi
    mkdir -p "$to"
    cp "$from/package.json" "$from/package-lock.json" "$to/"
    say "setup: installs modules from npm into build/node"
    if npm ci --prefix "$to" --no-audit --no-fund --ignore-scripts >"$to/npm.log" 2>&1 </dev/null; then
        cp "$from/package-lock.json" "$to/installed.json"
    else
        tail -n 5 "$to/npm.log" >&2
        say "setup: npm ci failed (build/node/npm.log); tests of producers in Node will be skipped"
    fi
}

missing_packages() {
    local installed
    installed=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
    installed=$(awk '$2 == "installed" { print $1 }' <<<"$installed")
    printf '%s\n' "${wanted[@]}" | grep -vxF -f <(printf '%s\n' "$installed") || true
}

# Sets the array as_root.
become_root() {
    as_root=()
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null || die "these packages are missing, and this is neither root nor is there sudo: ${missing[*]}"
    as_root=(sudo)
    [ -t 0 ] || as_root=(sudo --non-interactive)
}

command -v dpkg-query >/dev/null || die "setup knows Debian's packages only; scripts/packages.txt lists what is needed"
mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" = 0 ]; then
    say "setup: all ${#wanted[@]} packages are there"
    if [ "${1:-}" != --list ]; then node_modules "${1:-}"; fi
    exit 0
fi
if [ "${1:-}" = --list ]; then
    printf '%s\n' "${missing[@]}"
    exit 0
fi
become_root
say "setup: installs ${#missing[@]} packages: ${missing[*]}"

# Debian's Postgres makes and starts a cluster when it is installed. Nothing here wants one: tests and demo make their own.
no_cluster=/etc/postgresql-common/createcluster.d/dormouse-setup.conf
remove_no_cluster() {
    "${as_root[@]}" rm -f "$no_cluster"
    "${as_root[@]}" rmdir --ignore-fail-on-non-empty "$(dirname "$no_cluster")" 2>/dev/null || true
}
if printf '%s\n' "${missing[@]}" | grep -qE '^postgresql(-[0-9]+)?$'; then
    trap remove_no_cluster EXIT
    "${as_root[@]}" mkdir -p "$(dirname "$no_cluster")"
    printf 'create_main_cluster = off\n' | "${as_root[@]}" tee "$no_cluster" >/dev/null
fi

apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --option DPkg::Lock::Timeout=300 \
        --option Dpkg::Use-Pty=0 "$@"
}
apt_get update
# to a log, because hundreds of lines say nothing when all goes well
log=$(mktemp)
if ! apt_get install --yes --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    die "apt-get install failed"
fi
rm -f "$log"
node_modules "${1:-}"
say "setup: done"
