#!/bin/bash
# demo_door.sh DIRECTORY POOL: stands in for systemd where none runs. systemd-socket-activate holds the doorbell and becomes
# the worker when it is rung; when that has gone to sleep, the next one is put there, and what it said is due is rung for.
# While one follows the other a ring finds nobody: that gap is why this is for a demonstration only.
set -euo pipefail

work=$1 pool=$2
run=$work/run
worker='' timer=''
leave() {
    trap - EXIT
    for pid in $worker $timer; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
}
trap leave EXIT
trap 'exit 143' TERM HUP INT

# A timer without a process of its own to leave behind: a read from a pipe into which nobody writes.
mkfifo "$run/$pool/never"
ring_later() { # ring_later SECONDS
    exec 9<>"$run/$pool/never"
    read -r -t "$1" -u 9 || true
    rm -f "$run/$pool/armed"
    exec "$work/bin/dormouse" wake "$run/$pool.sock"
}

while :; do
    rm -f "$run/$pool.sock"
    : >"$run/$pool/asleep"
    env DORMOUSE_CONFIG_DIR="$work/etc" systemd-socket-activate --listen="$run/$pool.sock" \
        --setenv=DORMOUSE_CONFIG_DIR --setenv=RUNTIME_DIRECTORY="$run/$pool" --setenv=DORMOUSE_PATHS_RUNTIME_DIRECTORY="$run" --setenv=PATH \
        /bin/sh -c "rm -f '$run/$pool/asleep'; exec \"\$@\"" sh "$work/bin/dormouse" worker "$pool" &
    worker=$!
    wait "$worker" || true
    if [ -n "$timer" ]; then kill -TERM "$timer" 2>/dev/null || true; fi
    timer=
    due=$(cat "$run/$pool/due" 2>/dev/null || echo 10000) # no word: look in 10 s
    rm -f "$run/$pool/due"
    if [ "$due" != none ]; then
        : >"$run/$pool/armed"
        ring_later "$((due / 1000)).$(printf '%03d' $((due % 1000)))" &
        timer=$!
    fi
done
