#!/bin/bash
# demo.sh MANAGER: ./dev demo with the programs of DORMOUSE_BUILD ends well and leaves nothing behind.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
skip() { printf 'SKIPPED: %s\n' "$*"; exit 77; }
fail() { printf 'FAILED: %s\n' "$*"; exit 1; }
if [ "$1" = container ]; then
    [ -n "${DORMOUSE_FULL:-}" ] || skip "the demo in a container of its own is shown by ./dev test --full"
    "$root/tests/system/boot.sh" check
fi
command -v systemd-socket-activate >/dev/null || skip "needs systemd-socket-activate (Debian package systemd)"
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || skip "needs Postgres (Debian package postgresql)"

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
chmod 0755 "$temporary" # the pool's user works below
mkdir "$temporary/tmp"
code=0
TMPDIR=$temporary/tmp "$root/dev" demo --manager "$1" >"$temporary/out" 2>&1 </dev/null || code=$?
cat "$temporary/out"
[ "$code" = 0 ] || fail "it ended with $code"
grep -q 'Asleep, it costs nothing' "$temporary/out" || fail "it did not come to its end"
work=$(sed -n 's/^ *Directory: //p' "$temporary/out")
[ -n "$work" ] || fail "it does not say where it works"
[ ! -e "$work" ] || fail "left behind: $work"
left=$(ls -A "$temporary/tmp")
[ -z "$left" ] || fail "left behind in TMPDIR: $left"
