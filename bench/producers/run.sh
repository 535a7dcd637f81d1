#!/bin/bash
# What a producer pays: single-row inserts without any trigger, with NOTIFY, and with local wake besides (asleep and awake); and while a
# worker is busy with those very runs, by NOTIFY and by its promise to look again, against no trigger and a worker that is busy elsewhere.
# ./dev bench producers [SECONDS [ROUNDS]]: 1 s each in 4 rounds, about two minutes; "long" is 10 s in 5 rounds, about twenty. STATES and
# CLIENTS choose some of them. The Postgres is
# private, durable, on a local disk; the wake file is on a tmpfs, as it is in service.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
seconds=${1:-1}
rounds=${2:-4}
if [ "$seconds" = long ]; then seconds=10 rounds=${2:-5}; fi
read -ra states <<<"${STATES:-none notify asleep awake busy_elsewhere busy promised}"
read -ra clients <<<"${CLIENTS:-1 8 32}"

on_bench_end() { [ -z "${wake:-}" ] || rm -rf "$wake"; }
begin producers "${TMPDIR:-/tmp}"
build=${DORMOUSE_BUILD:-$root/build/release}
cmake --build "$build" --target bench-producers-worker >"$work/build.log" 2>&1 ||
    { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
cp "$build/bench-producers-worker" "$work/bin/worker"
wake=$(mktemp -d /dev/shm/dormouse-producers.XXXXXX)
start_postgres
if [ "$(id -u)" = 0 ]; then chown postgres "$wake"; fi

mkdir "$work/pools"
cat >"$work/pools/bench.toml" <<TOML
[database]
url = "postgresql:///wake?host=$work/data&user=postgres"
[paths]
wake_directory = "$wake"
TOML
for database in none notify wake; do PGDATABASE=template1 sql "CREATE DATABASE $database TEMPLATE postgres"; done
PGDATABASE=none sql "DROP TRIGGER runs_inserted ON dormouse.runs"
DORMOUSE_CONFIG_DIR=$work/pools "$work/bin/dormouse" migrate --local-wake \
    --database-url "postgresql:///wake?host=$work/data&user=postgres" >&2
echo "INSERT INTO dormouse.runs (task, payload, run_at) VALUES ('bench', '{\"n\": 1}', 'infinity')" >"$work/insert.sql"

echo "INSERT INTO dormouse.runs (task, payload) VALUES ('bench', '{\"n\": 1}')" >"$work/insert_due.sql"

# start_busy DATABASE QUEUE NOTIFY: a worker of its unit, as far as it knows.
start_busy() {
    mkdir -p "$work/run/bench"
    cat >"$work/busy.toml" <<TOML
[database]
url = "postgresql:///$1?host=$work/data&user=postgres"
[worker]
queues = ["$2"]
concurrency = 64
[wake]
notify = "$3"
[paths]
spool_directory = "$work/run"
TOML
    DORMOUSE_PATHS_RUNTIME_DIRECTORY=$work/run RUNTIME_DIRECTORY=$work/run/bench "$work/bin/worker" "$work/busy.toml" >"$work/worker.log" 2>&1 </dev/null &
    children+=("$!")
    wait_for 20 is_there "$1"
}
is_there() { [ "$(PGDATABASE=$1 sql "SELECT count(*) FROM dormouse.workers WHERE state = 'awake'")" = 1 ]; }
# It is at work, and not registered as one that wants to be told.
holds_promise() {
    [ "$(PGDATABASE=notify sql "SELECT (SELECT count(*) >= 100 FROM dormouse.runs WHERE status = 'completed') AND NOT EXISTS (
             SELECT FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('default', 1685024366))")" = t ]
}
pgbench() { # CLIENTS SECONDS FILE DATABASE
    "$postgres_bin/pgbench" --no-vacuum --protocol=prepared --client="$1" --jobs=$(($1 < 2 ? 1 : 2)) --time="$2" \
        --file="$3" "$4" 2>"$work/pgbench.log" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

# heard DATABASE SECONDS: how many notifications of the queue come within that time, once there is a promise.
heard() {
    local end=$((SECONDS + 20))
    until holds_promise; do
        [ "$SECONDS" -lt "$end" ] || die "nobody has promised"
        sleep 0.02
    done
    { echo "SELECT dormouse.listen('{queue:default}');"; sleep "$2"; echo 'SELECT 1;'; } |
        psql --no-psqlrc --quiet --tuples-only "$1" | grep -c 'Asynchronous notification' || true
}

# busy_round STATE CLIENTS NUMBER: as round, with a worker that has something to do all the time.
busy_round() {
    local database=notify queue=default notify=always tps heard=null
    case $1 in
    busy_elsewhere) database=none queue=elsewhere ;;
    promised) notify=when_needed ;;
    esac
    PGDATABASE=$database sql "TRUNCATE dormouse.runs, dormouse.worker_registry" >/dev/null
    [ "$1" != busy_elsewhere ] || PGDATABASE=$database sql "INSERT INTO dormouse.runs (queue, task, payload)
        SELECT 'elsewhere', 'bench', '{\"n\": 1}' FROM generate_series(1, $((seconds * 40000)))" >/dev/null
    PGDATABASE=$database sql "CHECKPOINT" >/dev/null
    start_busy "$database" "$queue" "$notify"
    if [ "$1" = promised ]; then heard notify "$seconds" >"$work/heard" & fi
    tps=$(pgbench "$2" $((seconds + 1)) "$work/insert_due.sql" "$database") || { cat "$work/pgbench.log" >&2; die "pgbench failed"; }
    if [ "$1" = promised ]; then
        wait "$!" || die "nobody has promised"
        heard=$(cat "$work/heard")
    fi
    left=$(PGDATABASE=$database sql "SELECT count(*) FROM dormouse.runs_live WHERE queue = '$queue'")
    stop_all
    printf '{"state": "%s", "clients": %s, "round": %s, "tps": %s, "heard": %s, "left": %s}\n' "$1" "$2" "$3" "$tps" "$heard" "$left" \
        >>"$work/rounds.jsonl"
}

# round STATE CLIENTS NUMBER: one line of JSON. Asleep: nobody removes the file while the unit starts. Awake: a worker that LISTENs and
# looks; the runs are due some other time, because handlers would take the cores from the producers.
round() {
    local database=$1 file=$wake/bench tps
    case $1 in busy* | promised) busy_round "$@" && return ;; esac
    [[ $1 != a* ]] || database=wake
    PGDATABASE=$database sql "TRUNCATE dormouse.runs" >/dev/null
    PGDATABASE=$database sql "CHECKPOINT" >/dev/null
    rm -f "$file"
    [ "$1" != awake ] || DORMOUSE_CONFIG_DIR=$work/pools start_child "$work/worker.log" listening "$work/bin/dormouse" worker bench
    tps=$(pgbench "$2" "$seconds" "$work/insert.sql" "$database") ||
        { cat "$work/pgbench.log" >&2; die "pgbench failed"; }
    stop_all
    [ "$1" != asleep ] || [ -e "$file" ] || die "nothing was woken"
    printf '{"state": "%s", "clients": %s, "round": %s, "tps": %s}\n' "$1" "$2" "$3" "$tps" >>"$work/rounds.jsonl"
}
for count in "${clients[@]}"; do round none "$count" 0; done # warm
: >"$work/rounds.jsonl"
for ((i = 1; i <= rounds; i++)); do
    for count in "${clients[@]}"; do
        for ((s = 0; s < ${#states[@]}; s++)); do
            round "${states[(s + i) % ${#states[@]}]}" "$count" "$i" # another one goes first each time
        done
    done
done
python3 "$here/report.py" "$work/rounds.jsonl" "$out"
