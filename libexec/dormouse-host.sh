# Sourced by dormouse-dev and dormouse-prove: as whom things are done, which systemd there is, where Postgres is.
# shellcheck shell=bash disable=SC2034 # used by them

# As root, things that need not be root's are the caller's of sudo.
root=no user=$(id -un)
if [ "$(id -u)" = 0 ]; then root=yes user=${SUDO_USER:-root}; fi
# exec_as USER COMMAND …: no process stays in between, so that a signal arrives. as: the same, and goes on here.
exec_as() {
    local who=$1
    shift
    if [ "$root" = no ] || [ "$who" = root ]; then exec "$@"; fi
    exec setpriv --reuid="$who" --regid="$(id -g "$who")" --init-groups -- "$@"
}
as() { (exec_as "$@"); }

is_up() { case $(systemctl "$@" is-system-running 2>/dev/null) in running | degraded | starting) ;; *) return 1 ;; esac; }
choose_manager() { # choose_manager FOREGROUND
    if [ -n "$1" ]; then
        echo none
    elif [ $root = yes ]; then
        if [ -d /run/systemd/system ] && is_up; then echo system; else echo none; fi
    elif is_up --user; then
        echo user
    else
        echo none
    fi
}
scope=()
ctl() { systemctl "${scope[@]}" "$@"; }

postgres_bin() { { compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1; } || dirname "$(command -v initdb)"; }
