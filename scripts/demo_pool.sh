#!/bin/bash
# demo_pool.sh MANAGER DESCRIPTION: the demo itself; ./dev demo chooses the manager (see demo_manager.sh) and runs this
# beside it. Everything is in one directory of its own; DORMOUSE_BUILD has the programs.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/demo_manager.sh
source "$(dirname "$0")/demo_manager.sh"
# shellcheck source=scripts/demo_postgres.sh
source "$(dirname "$0")/demo_postgres.sh"

manager=$1 description=$2
pool=demo files=40 delay_s=8 quiet_s=10
worker_user=
if [ "$(id -u)" = 0 ]; then worker_user=postgres; fi

bold='' dim='' green='' plain=''
if [ "${DEMO_COLOURS:-}" = yes ] || [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' plain=$'\e[0m'; fi
step_number=0
step() {
    step_number=$((step_number + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$step_number" "$1" "$plain"
}
tell() { printf '   %s\n' "$*"; }
number() { printf "%s" "$1" | sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta'; }
now_ms() { printf '%s\n' $((${EPOCHREALTIME/./} / 1000)); }

wait_for() { # wait_for SECONDS COMMAND …
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || { printf 'waited in vain for: %s\n' "$*" >&2; return 1; }
        sleep 0.05
    done
}
# end_process SIGNAL PID: a child of ours, gone when this returns; one that does not go is killed.
end_process() {
    [ -n "$2" ] && kill "-$1" "$2" 2>/dev/null || return 0
    wait_for 10 process_ended "$2" || kill -KILL "$2" 2>/dev/null || true
    wait "$2" 2>/dev/null || true
}
process_ended() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# --- the end, however it comes -----------------------------------------------------------------------------------------
leave() {
    local code=$? remains=''
    trap - EXIT
    trap '' INT TERM HUP
    if [ $code != 0 ] && [ $code != 130 ] && [ $code != 143 ]; then
        printf '\nThe demo failed. The last words of the worker and of Postgres:\n' >&2
        { worker_log | tail -n 15; tail -n 5 "$work/log/postgres"; } >&2 2>/dev/null || true
    fi
    pool_down || true
    postgres_down || true
    cd /
    rm -rf "$work"
    remains=$(pool_remains; pgrep --full "$work/" || true; [ ! -e "$work" ] || echo "$work")
    if [ -n "$remains" ]; then
        printf 'left behind: %s\n' "${remains//$'\n'/ }" >&2
        [ $code != 0 ] || code=1
    elif [ $code = 0 ]; then
        printf '\nRemoved: the units, Postgres and %s. Nothing is left behind.\n' "$work"
    fi
    exit "$code"
}

work=$(mktemp -d /tmp/dormouse-demo-pool.XXXXXX)
unit=dormouse-demo-${work##*.}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What the pool needs, where an unprivileged worker can read it.
prepare() {
    chmod 755 "$work"
    mkdir -p "$work"/{bin,etc,log,run,"run/$pool"}
    if [ -n "$worker_user" ]; then chown "$worker_user" "$work/run/$pool" "$work/log"; fi
    cp "$DORMOUSE_BUILD/dormouse" "$DORMOUSE_BUILD/dormouse-due" "$root/examples/inspect_file.py" "$root/scripts/demo_door.sh" "$work/bin/"
    cat >"$work/etc/$pool.toml" <<TOML
[database]
url = "postgresql://dormouse_demo@/demo?host=$work/db"
[worker]
idle_exit = "2s"       # 30min unless said otherwise
look_exit = "1s"
[paths]
runtime_directory = "$work/run"
[task.inspect_file]
handler = "exec"
command = ["/usr/bin/python3", "-IS", "$work/bin/inspect_file.py"]
max_attempts = 1
TOML
    export DORMOUSE_CONFIG_DIR=$work/etc
}

# --- what is shown -----------------------------------------------------------------------------------------------------
# Runs that are completed, running, and not yet either; failed ones are an end too.
standing() {
    sql "SELECT count(*) FILTER (WHERE status IN ('completed', 'failed')), count(*) FILTER (WHERE status = 'running'), count(*)
           FROM dormouse.runs"
}
progress() { # progress START_MS: until all runs have ended
    local ended running all shown=-1 quarter
    while :; do
        IFS=$'\t' read -r ended running all < <(standing)
        quarter=$((ended * 4 / all))
        if [ "$quarter" != "$shown" ]; then
            shown=$quarter
            tell "$(printf '%5.1f s  %2d of %d completed, %d running' "$(awk "BEGIN { print ($(now_ms) - $1) / 1000 }")" \
                "$ended" "$all" "$running")"
        fi
        [ "$ended" != "$all" ] || return 0
        [ $(($(now_ms) - $1)) -lt 60000 ] || die "the runs did not end within a minute"
        sleep 0.05
    done
}

sleeps_now() {
    wait_for 30 pool_sleeps
    [ "$(pool_processes)" = 0 ] && [ "$(sessions)" = 0 ]
}
run_has_ended() { [ "$(sql "SELECT status FROM dormouse.result('$1')")" = completed ]; }

printf '%sdormouse: a worker for runs that live in Postgres, and that does not exist while there are none.%s\n' "$bold" "$plain"
tell "Manager: $description"
tell "Directory: $work"
prepare

step "A private Postgres, reachable through a unix socket only, gets the schema of the queue."
begin=$(now_ms)
postgres_up
postgres_migrate
tell "started and migrated in $(($(now_ms) - begin)) ms; it also counts every statement it is sent (pg_stat_statements)"

step "A pool is put behind a socket: the manager listens, and no worker is started."
pool_up
tell "doorbell: $work/run/$pool.sock"
tell "processes of the pool: $(pool_processes), database sessions: $(sessions)"

step "$files runs are enqueued, in plain SQL and one transaction: nothing but rows, so nothing happens yet."
mapfile -t paths < <(find /usr/include/linux -maxdepth 1 -type f -name '*.h' -printf '%s %p\n' | sort -rn | head -n "$files" | cut -d' ' -f2)
payloads=$(printf "jsonb_build_object('file', '%s')," "${paths[@]}")
sql "SELECT dormouse.enqueue_many('inspect_file', ARRAY[${payloads%,}])" >/dev/null
tell "SELECT dormouse.enqueue_many('inspect_file', ARRAY['{\"file\": \"${paths[0]}\"}', …])"
tell "queued: ${#paths[@]}, processes of the pool: $(pool_processes)"

step "One ring at the doorbell starts the worker: it looks once and runs a program on each file, four at a time."
begin=$(now_ms)
"$work/bin/dormouse" wake "$pool" >/dev/null
progress "$begin"
first_ms=$(sql "SELECT round(extract(epoch FROM min(started_at)) * 1000) - $begin FROM dormouse.runs")
tell "from the ring to the first run: $first_ms ms, with the start of the process and of its session in it"
sql "SELECT result ->> 'file', result ->> 'bytes', result ->> 'lines', left(result ->> 'sha256', 16) FROM dormouse.runs
      WHERE status = 'completed' ORDER BY (result ->> 'bytes')::bigint DESC LIMIT 4" |
    while IFS=$'\t' read -r file bytes lines sha; do
        tell "$(printf '%-34s %9s bytes %7s lines  sha256 %s…' "$file" "$(number "$bytes")" "$(number "$lines")" "$sha")"
    done
IFS=$'\t' read -r good bytes lines < <(sql "SELECT count(*), sum((result ->> 'bytes')::bigint), sum((result ->> 'lines')::bigint)
    FROM dormouse.runs WHERE status = 'completed'")
tell "results of $good files are in dormouse.runs: $(number "$bytes") bytes, $(number "$lines") lines"
[ "$good" = "${#paths[@]}" ] || die "only $good of ${#paths[@]} runs completed"

step "One more run is enqueued for $delay_s s from now: the worker has no reason to stay up for it."
id=$("$work/bin/dormouse" enqueue inspect_file "{\"file\": \"${paths[0]}\"}" --in "${delay_s}s" --pool "$pool" 2>/dev/null)
wait_for 15 sleeps_now
tell "after 2 s of quiet (30 min by default) it closed its session and exited: processes 0, sessions 0"
timer=$(due_timer)
[ -n "$timer" ] || die "no timer was armed for the delayed run"
tell "it left word of what is due next: $timer"

step "The timer wakes the pool when the run is due; nobody rings and nobody polls."
wait_for 30 run_has_ended "$id"
sql "SELECT to_char(run_at, 'HH24:MI:SS.MS'), to_char(started_at, 'HH24:MI:SS.MS'),
            round(extract(epoch FROM started_at - run_at) * 1000) FROM dormouse.runs WHERE id = '$id'" |
    while IFS=$'\t' read -r due started late; do tell "due $due, started $started ($late ms later)"; done

step "Then it sleeps again, and what that costs is counted over $quiet_s quiet seconds."
wait_for 15 sleeps_now
before=$(statements)
read -r -t "$quiet_s" <> <(:) || true # the quiet time that is measured; a signal ends it, as it would not end a sleep
row() { printf '   %-32s %18s %24s\n' "$@"; }
counted=$(($(statements) - before))
processes=$(pool_processes)
open=$(sessions)
row "" "dormouse, counted" "polling every 2 s"
row "processes of the pool" "$processes" "1"
row "database sessions" "$open" "1"
row "statements in $quiet_s s" "$counted" "$((quiet_s / 2))"
row "statements in a day" "$((counted * 86400 / quiet_s))" "43,200"
tell "${dim}the right column is arithmetic: one process that asks once every two seconds whether there is work${plain}"
if [ "$manager" = activate ]; then tell "${dim}not counted: systemd-socket-activate and a script, which stand in for systemd here${plain}"; fi
[ "$processes$open$counted" = 000 ] || die "a sleeping pool was expected to cost nothing"
printf '\n   %sAsleep, it costs nothing.%s Next: README.md has the same in five minutes on a real pool.\n' "$green" "$plain"
