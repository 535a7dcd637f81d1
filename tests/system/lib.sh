#!/bin/bash
# Sourced by every case and by install.sh, inside the booted container. A case is a short script that stands for one claim;
# it waits for events with a deadline, never for a time to pass, prints figures beside their aim and asserts none of them.
set -Eeuo pipefail

export postgres_data=/var/lib/dormouse-test-postgres postgres_unit=dormouse-test-postgres.service
export PGHOST=/run/dormouse-test-postgres PGUSER=postgres

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; exit 1; }
postgres_bin() { compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1; }

# Debian's own psql is a program in perl that looks for the cluster, and takes longer than what is asked here.
psql_program=$(postgres_bin)/psql
[ -x "$psql_program" ] || psql_program=/usr/bin/psql
psql() { "$psql_program" "$@"; }

# wait_for SECONDS COMMAND …: until the command succeeds. The deadline is for tests that hang, it asserts nothing. Who waits for long asks
# less often: others work meanwhile.
wait_for() {
    local end=$((SECONDS + $1)) tries=0
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "waited in vain for: $*"
        if ((tries++ < 20)); then sleep 0.02; else sleep 0.2; fi # how often it is looked
    done
}

# equal WHAT SEEN WANTED
equal() { [ "$2" = "$3" ] || fail "$1: saw '$2', wanted '$3'"; say "ok: $1: $2"; }
# holds WHAT COMMAND …
holds() { local what=$1; shift; "$@" || fail "$what: not true: $*"; say "ok: $what"; }
not() { ! "$@"; }

# --- units -----------------------------------------------------------------------------------------------------------
property() { systemctl show --value --property="$2" "$1"; }
state_is() { [ "$(property "$1" ActiveState)" = "$2" ]; }

# Asleep: the look of the start is made, the service has ended, its helper too, and nobody has asked for it again.
asleep() { not state_is "dormouse@$1.timer" active && state_is "dormouse@$1.service" inactive && [ -z "$(property "dormouse@$1.service" Job | tr -d 0)" ]; }

# The due timers of a pool, one a line. A pool whose name starts with this one's name has other timers.
armed() {
    systemctl list-units --all --plain --no-legend --full 'dormouse-due-*.timer' |
        awk -v name="^dormouse-due-${1//./\\.}-[0-9]+[.]timer\$" '$1 ~ name && ($3 == "active" || $3 == "activating") { print $1 }'
}
armed_count_is() { [ "$(armed "$1" | wc -l)" = "$2" ]; }
# What the timer was armed with, as systemd prints it ("10s", "1min 20s").
armed_for() { property "$1" TimersMonotonic | sed -n 's/.*OnActiveUSec=\(.*\) ; next_elapse.*/\1/p'; }

stop_pool() {
    systemctl stop "dormouse@$1.target"
    systemctl reset-failed "dormouse@$1.service" 2>/dev/null || true
    wait_for 60 asleep "$1"
}

# drop_in POOL NAME <<EOF: settings for this pool's service alone.
drop_in() {
    mkdir -p "/etc/systemd/system/dormouse@$1.service.d"
    cat >"/etc/systemd/system/dormouse@$1.service.d/$2.conf"
    systemctl daemon-reload
}

# --- pools with a real worker ------------------------------------------------------------------------------------------
sql() { psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname="${database:-postgres}" --command="$1"; }

# need_worker: the case is about the worker; without one it is skipped.
need_worker() {
    if [ ! -x /usr/bin/dormouse ]; then
        say "SKIPPED: this build has no dormouse"
        exit 77
    fi
}

# new_database NAME: a fresh one with the schema; cases and the worker's role "pool" find it as $database.
new_database() {
    database=postgres
    if [ -z "$(sql "SELECT 1 FROM pg_database WHERE datname = 'dormouse_template'")" ]; then
        sql "CREATE DATABASE dormouse_template"
        dormouse migrate --database-url "postgresql:///dormouse_template?host=$PGHOST" >/dev/null
        dormouse migrate --roles --database-url "postgresql:///dormouse_template?host=$PGHOST" >/dev/null
        sql "CREATE ROLE pool LOGIN IN ROLE dormouse_worker"
    fi
    PGOPTIONS="-c client_min_messages=warning" sql "DROP DATABASE IF EXISTS \"$1\" WITH (FORCE)"
    sql "CREATE DATABASE \"$1\" TEMPLATE dormouse_template"
    database=$1
}

# configure POOL [URL] <<EOF: its config with what the case adds; options of [worker] come first.
configure() {
    cat >"/etc/dormouse/$1.toml" <<TOML
[database]
url = "${2:-postgresql://pool@127.0.0.1/$database}"
retry_max = "2s"
[task.work]
handler = "exec"
command = ["/bin/true"]
[task.slow]
handler = "exec"
command = ["/bin/sleep", "${slow:-3}"]
[worker]
lease = "5s"
TOML
    cat >>"/etc/dormouse/$1.toml"
}
short='idle_exit = "50ms"
look_exit = "50ms"'

# put_file TASK: spools a run for the pool, in one step as producers do; prints its id.
put_file() {
    local id directory=/var/spool/dormouse/$pool
    id=$(cat /proc/sys/kernel/random/uuid)
    printf '{"task": "%s"}' "$1" >"$directory/.$id.json"
    mv "$directory/.$id.json" "$directory/$id.json"
    echo "$id"
}

# new_pool NAME [OPTIONS]: a fresh database and a started pool; its first worker has looked and left.
new_pool() {
    need_worker
    use_pool "$1"
    new_database "$1"
    configure "$1" <<<"${2:-$short}"
    systemctl start "dormouse@$1.target"
}

# enqueue TASK [ARGUMENTS]: by plain SQL, rings nobody; prints the id.
enqueue() { sql "SELECT dormouse.enqueue('$1'${2:+, $2})"; }
ring() { dormouse wake "$1" >/dev/null; }
status_of() { sql "SELECT status FROM dormouse.runs WHERE id = '$1'"; }
completed() { [ "$(status_of "$1")" = completed ]; }
all_completed() { [ "$(sql "SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'")" = 0 ]; }
# Sessions of workers in this case's database: those of the case before may still be leaving theirs.
sessions() {
    local its=$database
    database=postgres sql "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('pool', 'password_needed') AND datname = '$its'"
}
has_session() { [ "$(sessions)" != 0 ]; }
# Statements and looks that the workers of this case's database have sent since the last reset.
reset_statements() { database=postgres sql "SELECT pg_stat_statements_reset()" >/dev/null; }
statements() {
    database=postgres sql "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
                           WHERE r.rolname = 'pool' AND s.query LIKE '%${1:-}%'"
}
looks() { statements 'SKIP LOCKED'; }
activations() { journalctl --quiet --no-pager --output=cat --unit="dormouse@$1.service" --since="$case_began" --grep='^Starting' | wc -l; }
# How many workers of this case's pool were killed.
deaths() { { journalctl --quiet --no-pager --output=cat --unit="dormouse@$pool.service" --since="$case_began" --grep='status=9/KILL' || true; } | wc -l; }
processes() { # processes UNIT: in its cgroup and below
    local group
    group=$(property "$1" ControlGroup)
    [ -n "$group" ] || { echo 0; return; }
    find "/sys/fs/cgroup$group" -name cgroup.procs -exec cat {} + 2>/dev/null | wc -l
}
# shellcheck disable=SC2154 # pool is the case's
spool_is_empty() { [ -z "$(find "/var/spool/dormouse/$pool" -maxdepth 1 -name '*.json' -print -quit)" ]; }
kill_worker() { # kill_worker POOL: SIGKILL; fails while there is none (and pid 0 would be our own process group)
    local pid
    pid=$(property "dormouse@$1.service" MainPID)
    [ "$pid" -gt 1 ] && kill -KILL "$pid"
}
# How often the worker of a pool has said an event since `now_is_then`; the journal's own clock, to the microsecond.
now_is_then() { then=$(date '+%Y-%m-%d %H:%M:%S.%6N'); }
said() { # said POOL EVENT
    journalctl --quiet --no-pager --unit="dormouse@$1.service" --since="$then" --output=json --output-fields=DORMOUSE_EVENT |
        grep -c "\"DORMOUSE_EVENT\":\"$2\"" || true
}
has_said() { [ "$(said "$1" "$2")" != 0 ]; }
# An outage is told once, and so is its end.
one_outage() {
    wait_for 20 has_said "$1" database_back
    equal "database_lost" "$(said "$1" database_lost)" 1
    equal "database_back" "$(said "$1" database_back)" 1
}
attempts_of() { sql "SELECT attempts FROM dormouse.runs WHERE id = '$1'"; }
status_text() { property "dormouse@$1.service" StatusText; }

# --- cases about the helper only -------------------------------------------------------------------------------------
# stand_in POOL <<EOF: instead of the worker the unit runs this as the worker's user, in its sandbox, with everything
# else of the unit as it is. In it: due TEXT writes a due file as the worker does, $starts is the number of this start.
stand_in() {
    mkdir -p /etc/dormouse-test
    {
        cat <<'PROLOGUE'
cd "$RUNTIME_DIRECTORY" || exit 99
starts=$(($(cat "$STATE_DIRECTORY/starts" 2>/dev/null || echo 0) + 1))
echo $starts >"$STATE_DIRECTORY/starts"
due() { printf '%s\n' "$1" >.due; mv .due due; }
PROLOGUE
        cat
    } >"/etc/dormouse-test/$1.sh"
    drop_in "$1" stand-in <<DROPIN
[Service]
Type=exec
ExecStart=
ExecStart=/bin/bash /etc/dormouse-test/$1.sh
DROPIN
}
starts() { cat "/var/lib/dormouse/$1/starts" 2>/dev/null || echo 0; }
starts_are() { [ "$(starts "$1")" = "$2" ]; }
run_once() {
    local before
    before=$(starts "$1")
    systemctl start "dormouse@$1.service"
    wait_for 20 starts_are "$1" $((before + 1))
    wait_for 20 asleep "$1"
}
helper_said() { journalctl --quiet --no-pager --output=cat --identifier=dormouse-due --unit="dormouse@$1.service" | tail -n 1; }

# --- the end of a case -----------------------------------------------------------------------------------------------
pools=()
export case_began
case_began=$(date '+%Y-%m-%d %H:%M:%S')
endings=()
# at_end COMMAND …: at the end of this case, however it ends, before its pools are stopped. A trap of the case's own would lose
# the exit code of what failed.
at_end() { endings+=("$*"); }
on_end() {
    local code=$? pool ending
    trap - EXIT
    for ending in "${endings[@]}"; do eval "$ending" || true; done
    for pool in "${pools[@]}"; do
        if [ $code != 0 ]; then systemctl status --no-pager --full "dormouse@$pool.*" "dormouse-due-$pool-*" 2>&1 | head -n 60 || true; fi
        systemctl stop "dormouse@$pool.target" 2>/dev/null || true
        systemctl disable --quiet "dormouse@$pool.target" 2>/dev/null || true
    done
    exit "$code"
}
# use_pool NAME: this case's own, with nothing left of an earlier run; it is stopped at the end.
use_pool() {
    pools+=("$1")
    stop_pool "$1"
    rm -rf "/var/lib/dormouse/${1:?}" "/run/dormouse/$1" "/var/spool/dormouse/$1" "/var/spool/dormouse/$1.rejected" "/etc/systemd/system/dormouse@$1.service.d"
    systemctl daemon-reload
}
trap on_end EXIT
