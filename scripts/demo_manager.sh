#!/bin/bash
# shellcheck disable=SC2154 # what is not set here is set by demo_pool.sh
# Sourced by demo_pool.sh: puts the pool behind a manager and asks how it is. $manager is system, user or activate (no
# systemd: systemd-socket-activate holds the socket, and demo_door.sh stands in for timer and restart).
# Set before: work, pool, unit, worker_user (root only, else empty).

ctl() { if [ "$manager" = user ]; then systemctl --user "$@"; else systemctl "$@"; fi; }
property() { ctl show --value --property="$1" "$unit.service" 2>/dev/null; }
# as_worker COMMAND …; no process stays in between, so that a signal arrives (in the background: exec_as_worker).
exec_as_worker() {
    if [ -z "$worker_user" ]; then exec "$@"; fi
    exec setpriv --reuid="$worker_user" --regid="$worker_user" --init-groups -- "$@"
}
as_worker() { (exec_as_worker "$@"); }

# The same lines as in units/dormouse@.socket and dormouse@.service, without the sandbox; see there for the reasons.
pool_up() {
    local options=() helper=("$work/bin/dormouse-due" --runtime-directory "$work/run" --unit "$unit.service" --target none)
    if [ "$manager" = activate ]; then
        [ -z "$worker_user" ] || chown "$worker_user" "$work/run"
        exec_as_worker "$work/bin/demo_door.sh" "$work" "$pool" >>"$work/log/worker" 2>&1 &
        door=$!
        wait_for 10 pool_listens
        return
    fi
    if [ "$manager" = user ]; then
        options+=(--user)
        helper+=(--user)
    fi
    if [ -n "$worker_user" ]; then options+=(--property="User=$worker_user"); fi
    systemd-run "${options[@]}" --quiet --unit="$unit" --description="dormouse demo" --service-type=notify \
        --socket-property=ListenStream="$work/run/$pool.sock" --socket-property=SocketMode=0666 \
        --property=NotifyAccess=main --property=Restart=on-failure --property=RestartSec=1s \
        --property=StartLimitIntervalSec=0 --property=WatchdogSec=60s --property=KillMode=mixed --property=Delegate=yes \
        --property=NoNewPrivileges=yes --property="ExecStopPost=+${helper[*]} $pool" \
        --setenv=DORMOUSE_CONFIG_DIR="$work/etc" --setenv=RUNTIME_DIRECTORY="$work/run/$pool" --setenv=DORMOUSE_PATHS_RUNTIME_DIRECTORY="$work/run" \
        "$work/bin/dormouse" worker "$pool"
}

pool_listens() { grep -qF "$work/run/$pool.sock" /proc/net/unix; }

pool_sleeps() {
    if [ "$manager" = activate ]; then
        [ -e "$work/run/$pool/asleep" ] && pool_listens
    else
        [ "$(property ActiveState)" = inactive ]
    fi
}

# The processes of the pool: those in its unit's cgroup, which is gone while it sleeps.
pool_processes() {
    local cgroup base
    if [ "$manager" = activate ]; then
        pgrep --count --full "^$work/bin/dormouse worker" || true
        return
    fi
    cgroup=$(property ControlGroup)
    base=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    if [ -z "$cgroup" ] || [ ! -d "$base$cgroup" ]; then
        echo 0
    else
        find "$base$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null | wc -l
    fi
}

# What will wake it without a ring.
due_timer() {
    local number
    if [ "$manager" = activate ]; then
        [ ! -e "$work/run/$pool/armed" ] || echo "a stand-in for systemd's timer"
    elif number=$(cat "$work/run/$pool.timer" 2>/dev/null); then
        echo "dormouse-due-$pool-$number.timer"
    fi
}

worker_log() {
    case $manager in
    activate) cat "$work/log/worker" ;;
    user) journalctl --user --quiet --no-pager --output=cat --unit="$unit.service" ;;
    *) journalctl --quiet --no-pager --output=cat --unit="$unit.service" ;;
    esac
}

# Takes everything of the pool away; quiet when there is nothing.
pool_down() {
    local timer
    if [ "$manager" = activate ]; then
        end_process TERM "${door:-}"
        return 0
    fi
    ctl stop "$unit.socket" "$unit.service" 2>/dev/null || true
    timer=$(due_timer)
    if [ -n "$timer" ]; then ctl stop "$timer" "${timer%.timer}.service" 2>/dev/null || true; fi
    ctl reset-failed "$unit.socket" "$unit.service" 2>/dev/null || true
}
# What is still loaded of it; nothing, if all is well.
pool_remains() {
    [ "$manager" != activate ] || return 0
    ctl list-units --all --plain --no-legend "$unit.*" "dormouse-due-$pool-*" 2>/dev/null | awk '{ print $1 }'
}
