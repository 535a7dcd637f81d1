#!/bin/bash
# ./dev demo [--manager system|user|container|activate]
# Watch a sleeping worker: builds dormouse, puts a pool that does not run behind a socket, and lets it be woken, by a ring
# and by a timer. It takes less than a minute after the build and leaves nothing behind, also after Ctrl-C.
# The pool is put behind the systemd that runs here: system, or the user's own. Where none runs, root boots one in a
# container; else systemd-socket-activate stands in. --manager asks for one of them; DORMOUSE_BUILD=DIRECTORY takes the
# programs from there instead of building.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

boot=$root/tests/system/boot.sh

# is_up [--user]: that manager runs and answers. One that has a failed unit is as good.
is_up() { case $(systemctl "$@" is-system-running 2>/dev/null) in running | degraded | starting) ;; *) return 1 ;; esac; }

choose_manager() {
    if [ "$(id -u)" = 0 ] && [ -d /run/systemd/system ] && is_up; then
        say system
    elif [ "$(id -u)" != 0 ] && is_up --user; then
        say user
    elif "$boot" check >/dev/null 2>&1; then
        say container
    else
        say activate
    fi
}

programs() {
    if [ -n "${DORMOUSE_BUILD:-}" ]; then return; fi
    "$root/scripts/setup.sh" --for-demo
    export DORMOUSE_BUILD=$root/build/dev
    say "Building (minutes the first time, seconds later) …"
    if [ -t 1 ]; then
        "$root/scripts/build.sh" dev dormouse dormouse-due
    else
        "$root/scripts/build.sh" dev dormouse dormouse-due >"$state/build.log" 2>&1 || {
            tail -n 40 "$state/build.log" >&2
            die "the build failed"
        }
    fi
}

# The child runs beside us, so that a signal is answered at once and not after it.
child=
run() {
    "$@" &
    child=$!
    wait "$child"
    child=
}

# In a container the demo is a grandchild, behind nsenter, which hands no signal on.
demo_process() {
    local behind
    behind=$(pgrep --parent "$child" nsenter) && behind=$(pgrep --parent "$behind") || behind=$child
    say "$behind"
}

leave() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    if [ -n "$child" ]; then
        kill -TERM "$(demo_process)" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    if [ -n "${DORMOUSE_SYSTEM_STATE:-}" ]; then
        "$boot" stop >>"$state/boot.log" 2>&1 || true
        if grep -qF "$state" /proc/mounts || pgrep -f -- "--directory=$state" >/dev/null; then
            say "not removed, because it is still in use: $state" >&2
            exit 1
        fi
    fi
    rm -rf "$state"
    exit "$code"
}

manager=
while [ $# -gt 0 ]; do
    case $1 in
    --manager)
        manager=${2:-}
        shift 2 || die "--manager wants one of system, user, container, activate"
        ;;
    *) die "demo takes no $1 (see ./dev demo --help)" ;;
    esac
done
state=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-demo.XXXXXX")
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
programs
manager=${manager:-$(choose_manager)}
case $manager in
system) run "$root/scripts/demo_pool.sh" system "the systemd that runs this machine" ;;
user) run "$root/scripts/demo_pool.sh" user "your own systemd (systemctl --user)" ;;
activate)
    run "$root/scripts/demo_pool.sh" activate "systemd-socket-activate (no systemd runs here, and booting one in a container takes root)"
    ;;
container)
    export DORMOUSE_SYSTEM_STATE=$state/container
    begin=$EPOCHREALTIME
    run "$boot" start >"$state/boot.log" 2>&1 || {
        cat "$state/boot.log" >&2
        die "no systemd could be booted in a container"
    }
    colours=$([ -t 1 ] && say yes || say no)
    run "$boot" exec env DEMO_COLOURS="$colours" "$root/scripts/demo_pool.sh" system \
        "a systemd booted in a container, because none runs here ($(seconds_since "$begin") s)"
    ;;
*) die "--manager wants one of system, user, container, activate" ;;
esac
