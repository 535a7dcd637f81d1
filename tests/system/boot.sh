#!/bin/bash
# Boots a real systemd in a container over a throw-away overlay of this machine's root: what is installed here is
# there, and nothing done there is seen here. Used by ctest's fixtures and by people.
#
#   boot.sh check            exit 77 and the reason when this machine cannot
#   boot.sh start            boots, installs the build and a Postgres, and returns when the system is up
#   boot.sh exec COMMAND …   runs a command as root inside
#   boot.sh reboot           reboots, keeps the disk
#   boot.sh stop             powers off and removes everything but the logs
#
# DORMOUSE_SYSTEM_STATE    a directory of this container's own (logs stay in it)
# DORMOUSE_BUILD           where dormouse and dormouse-due were built
# DORMOUSE_SYSTEM_BINDS    directories that are seen inside too, writable: HERE:THERE, more of them after a space
# DORMOUSE_SYSTEM_POSTGRES no: install no Postgres inside
# DORMOUSE_SYSTEM_LAYER    FILE.tar: the tools that tools/layer.sh makes are laid over the root; with DORMOUSE_FULL alone
# DORMOUSE_ROOT            instead of this machine's root: a directory with another; nothing is then installed or masked in it
#
# All mounts live in the mount namespace of one supervisor process: when it ends, they are gone, however it ended.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
source_dir=$(cd "$here/../.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() { say "boot.sh: $*"; exit 1; }

check() {
    local reason=''
    [ "$(id -u)" = 0 ] || reason="needs root"
    [ -n "$reason" ] || command -v systemd-nspawn >/dev/null || reason="needs systemd-nspawn (Debian package systemd-container)"
    [ -n "$reason" ] || [ -x /usr/lib/systemd/systemd ] || [ -x /lib/systemd/systemd ] || reason="needs systemd (Debian package systemd-sysv)"
    [ -n "$reason" ] || grep -q ' cgroup2 ' /proc/mounts || reason="needs a mounted cgroup2 hierarchy"
    [ -n "$reason" ] || [ -w "$(cgroup_root)" ] || reason="may not create cgroups"
    [ -n "$reason" ] || unshare --mount true 2>/dev/null || reason="may not make mount namespaces"
    [ -n "$reason" ] || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || reason="needs Postgres (Debian package postgresql)"
    [ -n "$reason" ] || [ -z "${DORMOUSE_SYSTEM_LAYER:-}" ] || [ -n "${DORMOUSE_FULL:-}" ] || not_full
    [ -z "$reason" ] && return 0
    printf 'SKIPPED: no systemd can be booted here: %s\n' "$reason"
    exit 77
}

not_full() { printf 'SKIPPED: real tools are installed and tried by ./dev test --full\n'; exit 77; }
cgroup_root() { awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts; }

# alive FILE: the process recorded there (pid and start time, so that a reused pid is not taken for it) runs.
alive() {
    local pid start
    [ -r "$state/$1" ] && read -r pid start <"$state/$1" && [ "$(start_time "$pid")" = "$start" ]
}
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
record() { printf '%s %s\n' "$2" "$(start_time "$2")" >"$state/$1"; }
pid_of() { local pid rest; read -r pid rest <"$state/$1"; printf '%s\n' "$pid"; }
end() { # end SIGNAL FILE
    if alive "$2"; then kill "-$1" "$(pid_of "$2")" 2>/dev/null || true; fi
}

wait_until() { # wait_until SECONDS COMMAND …
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# What this machine runs by itself has no part in a test, and neither have its generators, a dozen programs for each daemon-reload.
mask_this_machine() {
    local unit generator
    mkdir -p "$1/etc/systemd/system-generators"
    for generator in /usr/lib/systemd/system-generators/*; do ln -sf /dev/null "$1/etc/systemd/system-generators/${generator##*/}"; done
    for unit in postgresql.service pgbouncer.service redis-server.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
        man-db.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service systemd-timesyncd.service systemd-networkd.service \
        console-getty.service cron.service; do
        ln -sf /dev/null "$1/etc/systemd/system/$unit"
    done
}

# Runs in its own mount namespace until the container is powered off.
supervise() {
    local root="$state/fs/root" upper="$state/fs/upper" group rc bind binds=()
    for bind in ${DORMOUSE_SYSTEM_BINDS:-}; do binds+=("--bind=$bind"); done
    group="$(cgroup_root)$(awk -F: '$1 == 0 { print $3 }' /proc/self/cgroup)"
    group="${group%/}/dormouse-test-$$"
    mkdir -p "$state/fs" "$group"
    mount -t tmpfs -o size=4g tmpfs "$state/fs"
    mkdir -p "$root" "$upper/etc/systemd/system" "$state/fs/work"
    if [ -n "${DORMOUSE_SYSTEM_LAYER:-}" ]; then
        tar --extract --file "$DORMOUSE_SYSTEM_LAYER" --xattrs --xattrs-include='trusted.overlay.*' --acls --directory "$upper"
    fi
    if [ -z "${DORMOUSE_ROOT:-}" ]; then mask_this_machine "$upper"; fi
    mount -t overlay overlay -o "lowerdir=${DORMOUSE_ROOT:-/},upperdir=$upper,workdir=$state/fs/work" "$root"
    while :; do
        rc=0
        (
            # A cgroup for each container: two in one would take each other's units for their own.
            echo "$BASHPID" >"$group/cgroup.procs"
            export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
            exec systemd-nspawn --quiet --directory="$root" --machine="dormouse-test-$$" --register=no --keep-unit --private-network --capability=CAP_BPF,CAP_NET_ADMIN --system-call-filter=bpf \
                --bind-ro="$source_dir" --bind-ro="$DORMOUSE_BUILD" "${binds[@]}" --boot
        ) &
        record nspawn $!
        wait $! || rc=$?
        [ "$rc" = 133 ] || break # 133: rebooted from within
    done
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    printf 'container ended with %s\n' "$rc"
}

find_leader() {
    local pid
    alive nspawn || return 1
    for pid in $(pgrep -P "$(pid_of nspawn)"); do
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = systemd ]; then
            record leader "$pid"
            return 0
        fi
    done
    return 1
}

inside() {
    alive leader || die "the container of $state is not running"
    local name pass=()
    for name in $(compgen -e | grep -E '^(DORMOUSE_|(A|L|UB)SAN_OPTIONS$)'); do pass+=("$name=${!name}"); done
    # --root: where boot.sh runs in a chroot, the root of the mount namespace is another one
    nsenter -t "$(pid_of leader)" -a --root --wd -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 SYSTEMD_PAGER='' "${pass[@]}" "$@"
}

# is-system-running --wait fails for a degraded system too: a unit of this machine that cannot run in a container is no reason.
system_up() { case $(inside systemctl is-system-running --wait 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac; }

wait_for_system() {
    wait_until 60 find_leader || { tail -n 20 "$state/console.log" >&2; die "no systemd came up, see $state/console.log"; }
    wait_until 60 system_up || die "the system did not come up, see $state/console.log"
}

start() {
    check
    [ -d "${DORMOUSE_BUILD:-}" ] || die "DORMOUSE_BUILD is not a directory"
    if [ -n "${DORMOUSE_SYSTEM_LAYER:-}" ]; then "$here/tools/layer.sh" "$DORMOUSE_SYSTEM_LAYER" || exit; fi
    stop
    mkdir -p "$state/logs"
    setsid unshare --mount --propagation private "$here/boot.sh" supervise >"$state/console.log" 2>&1 </dev/null &
    record supervisor $!
    wait_for_system
    if [ -z "${DORMOUSE_ROOT:-}" ]; then inside "$here/install.sh"; fi
    say "up: $(inside systemctl --version | head -n 1)"
}

reboot() {
    local before
    before=$(pid_of nspawn)
    inside systemctl reboot
    wait_until 60 nspawn_changed "$before" || die "the container did not come back from its reboot"
    wait_for_system
}
nspawn_changed() { alive nspawn && [ "$(pid_of nspawn)" != "$1" ]; }
supervisor_gone() { ! alive supervisor; }

stop() {
    if alive leader; then inside systemctl poweroff 2>/dev/null || true; fi
    if alive supervisor; then
        wait_until 30 supervisor_gone || end TERM nspawn
        wait_until 10 supervisor_gone || end KILL nspawn
        wait_until 5 supervisor_gone || end KILL supervisor
    fi
    rm -f "$state"/{supervisor,nspawn,leader}
    rmdir "$state/fs" 2>/dev/null || true
}

command=${1:-}
case $command in
check) check; exit 0 ;;
start | exec | reboot | stop | supervise) ;;
*) sed -n '2,20s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
state=${DORMOUSE_SYSTEM_STATE:?names a directory for the container}
shift
case $command in
exec) inside "$@" ;;
*) "$command" ;;
esac
