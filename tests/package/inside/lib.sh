#!/bin/bash
# Sourced by what runs inside the clean container: the README as a script, lists of files, waiting.
set -Eeuo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; exit 1; }
equal() { [ "$2" = "$3" ] || fail "$1: saw '$2', wanted '$3'"; say "ok: $1: $2"; }
holds() { local what=$1; shift; "$@" || fail "$what: not true: $*"; say "ok: $what"; }
not() { ! "$@"; }
# For what tells a shell nothing: rows, units that a doorbell starts, timers. What is a job of systemd's is waited for by systemctl.
wait_for() { # wait_for SECONDS COMMAND …
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "waited in vain for: $*"
        sleep 0.02
    done
}
began=$EPOCHREALTIME
step() { say "--- $* (after $(awk -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }') s)"; }

# readme STEP LANGUAGE: the code of that language in the README's five minutes below "**STEP.".
readme() {
    local code
    code=$(awk -v step="**$1. " -v fence="\`\`\`$2" '
        /^## / { inside = ($0 == "## Five minutes"); here = 0 }
        inside && /^\*\*[0-9]+\. / { here = (index($0, step) == 1) }
        /^```/ { block = !block; wanted = (block && $0 == fence); next }
        here && block && wanted { print }' "$tree/README.md")
    [ -n "$code" ] || fail "the README's five minutes have no step $1 with code in ${2:-no language}"
    printf '%s\n' "$code"
}
typed() { # typed STEP: its commands, one after the other, each of which has to succeed
    say "   $(readme "$1" "" | sed '2,$s/^/   /')"
    bash -euc "$(readme "$1" "")" || fail "step $1 of the README does not work as typed"
}

# Every file of the system but those that change by themselves, and apt's and dpkg's own.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /root -o -path /var/log -o -path /var/cache \
        -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/postgresql -o -path /var/lib/systemd -o -path /var/tmp \
        -o -path '/etc/*-' \) -prune -o -print | sort
    find /run -maxdepth 1 -name '*dormouse*'
}
property() { systemctl show --value --property="$2" "$1"; }
state_is() { [ "$(property "$1" ActiveState)" = "$2" ]; }
asleep() { ! state_is "dormouse@$1.timer" active && state_is "dormouse@$1.service" inactive && [ -z "$(property "dormouse@$1.service" Job | tr -d 0)" ]; }
apt() { # there is no network: what the package depends on was fetched when the root was made
    local code=0
    DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --yes -o Dpkg::Use-Pty=0 "$@" >/root/apt.log 2>&1 || code=$?
    grep -v -e '^(Reading' -e '^Preparing' -e '^Selecting' -e '^debconf:' -e '^N: ' /root/apt.log | sed 's/^/   /' || true
    [ "$code" = 0 ] || fail "apt-get $*"
}
sql() { runuser -u postgres -- psql --no-psqlrc --quiet --no-align --tuples-only --dbname=app --command="$1"; }
status_of() { sql "SELECT status FROM dormouse.runs WHERE id = '$1'"; }
completed() { [ "$(status_of "$1")" = completed ]; }
armed() { systemctl list-timers --plain --no-legend 'dormouse-due-*' | wc -l; }
armed_is() { [ "$(armed)" = "$1" ]; }
enqueue() { sudo dormouse enqueue "$@"; }
# The worker goes to sleep at once instead of in half an hour.
put_to_sleep() {
    systemctl stop dormouse@default.service
    wait_for 20 asleep default
}
