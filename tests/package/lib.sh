#!/bin/bash
# Sourced by the tests of packages: where things are, and how a tree is listed.
set -Eeuo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
packages=$source_dir/build/package
# The clean root, made once by root.sh: of this machine's release of Debian, or of DORMOUSE_CLEAN_RELEASE.
export clean_root=$source_dir/build/package-root${DORMOUSE_CLEAN_RELEASE:+-$DORMOUSE_CLEAN_RELEASE}
# shellcheck source=/dev/null
this_release() { (. /etc/os-release && [ "$ID" = debian ] && printf '%s\n' "${VERSION_CODENAME:-}") || true; }

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; exit 1; }
equal() { [ "$2" = "$3" ] || fail "$1: saw '$2', wanted '$3'"; say "ok: $1: $2"; }
holds() { local what=$1; shift; "$@" || fail "$what: not true: $*"; say "ok: $what"; }
not() { ! "$@"; }
skip() { say "SKIPPED: $*"; exit 77; }

# A release build and a new root file system are not for every day.
only_in_full() { [ -n "${DORMOUSE_FULL:-}" ] || skip "packages are built and tried by ./dev test --full"; }
# package_of KIND [NAME]: the file of a package, by default that of dormouse itself.
package_of() {
    compgen -G "$packages/${2:-dormouse}[-_][0-9]*.$1" || fail "there is no .$1 of ${2:-dormouse} in $packages; ./dev package makes it" >&2
}

# listed DIRECTORY: a tree as compare.py reads it; of directories only those that are empty.
listed() {
    find "$1" -mindepth 1 \( -type l -printf 'link /%P -> %l\n' \) -o \( -type f -printf '%m /%P\n' \) -o \( -type d -empty -printf '%m /%P/\n' \)
}
compare() { python3 "$source_dir/tests/package/compare.py" "$source_dir/packaging/files.txt" "$1"; }
