#!/bin/bash
# ./dev setup [--list] [--for-demo]
# Installs through apt what building, testing and the demo need on Debian 12 and 13 (scripts/packages.txt), as root or by sudo; and from npm,
# into build/node, the drivers with which producers in Node are tested (tests/clients/node).
# Asks dpkg first: when nothing is missing it touches neither apt nor the network. On another Debian or Ubuntu it names the packages that apt
# does not know there: without one that the build needs nothing is installed, without others the tests that need them are skipped.
#   --list       only print what is missing
#   --for-demo   only what building and the demo need: no tests, no npm
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

list=no
for_demo=no
for argument in "$@"; do
    case $argument in
    --list) list=yes ;;
    --for-demo) for_demo=yes ;;
    *) die "setup takes no $argument (see ./dev setup --help)" ;;
    esac
done
names() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d'; }
mapfile -t needed < <(sed '/^# --- to test/,$d' "$root/scripts/packages.txt" | names)
mapfile -t wanted < <(names <"$root/scripts/packages.txt")
if [ "$for_demo" = yes ]; then
    wanted=("${needed[@]}")
elif ! command -v npm >/dev/null; then
    wanted+=(npm)
fi

# As the lock file has them. That a registry cannot be reached is no reason to build and test nothing: those tests say that they are skipped.
node_modules() {
    local from=$root/tests/clients/node to=$root/build/node
    if [ "$for_demo" = yes ] || cmp --quiet "$from/package-lock.json" "$to/installed.json"; then return; fi
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

# Sets the array unknown: what is missing and of which apt has no version.
find_unknown() {
    mapfile -t unknown < <(printf '%s\n' "${missing[@]}" | grep -vxF -f <(apt-cache policy "${missing[@]}" 2>/dev/null |
        awk '/^[^ ]/ { name = substr($1, 1, length($1) - 1) } $1 == "Candidate:" && $2 != "(none)" { print name }') || true)
}
# What apt does not know is named, on stderr.
name_unknown() {
    local here
    here=$(sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release)
    find_unknown
    [ "${#unknown[@]}" != 0 ] || return 0
    if [ "${#unknown[@]}" = "${#missing[@]}" ]; then
        say "setup: apt knows none of them; has it package lists (apt-get update)?" >&2
    else
        say "setup: scripts/packages.txt is for Debian 12 and 13; this is ${here:-another one}, where apt does not know: ${unknown[*]}" >&2
    fi
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
    if [ "$list" = no ]; then node_modules; fi
    exit 0
fi
if [ "$list" = yes ]; then
    printf '%s\n' "${missing[@]}"
    name_unknown
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
name_unknown
if [ "${#unknown[@]}" != 0 ]; then
    lacking=$(printf '%s\n' "${unknown[@]}" | grep -xF -f <(printf '%s\n' "${needed[@]}") | xargs || true)
    [ -z "$lacking" ] || die "setup: without $lacking nothing can be built; install them in another way, then again"
    say "setup: tests that need what is not known say that they are skipped"
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vxF -f <(printf '%s\n' "${unknown[@]}"))
fi
# to a log, because hundreds of lines say nothing when all goes well
log=$(mktemp)
if ! apt_get install --yes --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    die "apt-get install failed"
fi
rm -f "$log"
node_modules
say "setup: done"
