#!/bin/bash
# What a producer pays: single-row inserts without any trigger, with NOTIFY, and with local wake besides (asleep and awake).
# ./dev bench producers [SECONDS [ROUNDS]]: 1 s each in 4 rounds, about a minute; "long" is 10 s in 5 rounds, about ten. The Postgres is
# private, durable, on a local disk; the wake file is on a tmpfs, as it is in service.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
seconds=${1:-1}
rounds=${2:-4}
if [ "$seconds" = long ]; then seconds=10 rounds=${2:-5}; fi
states=(none notify asleep awake)
clients=(1 8 32)

on_bench_end() { [ -z "${wake:-}" ] || rm -rf "$wake"; }
begin producers "${TMPDIR:-/tmp}"
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

# round STATE CLIENTS NUMBER: one line of JSON. Asleep: nobody removes the file while the unit starts. Awake: a worker that LISTENs and
# looks; the runs are due some other time, because handlers would take the cores from the producers.
round() {
    local database=$1 file=$wake/bench tps
    [[ $1 != a* ]] || database=wake
    PGDATABASE=$database sql "TRUNCATE dormouse.runs" >/dev/null
    PGDATABASE=$database sql "CHECKPOINT" >/dev/null
    rm -f "$file"
    [ "$1" != awake ] || DORMOUSE_CONFIG_DIR=$work/pools start_child "$work/worker.log" listening "$work/bin/dormouse" worker bench
    tps=$("$postgres_bin/pgbench" --no-vacuum --protocol=prepared --client="$2" --jobs=$(($2 < 2 ? 1 : 2)) --time="$seconds" \
        --file="$work/insert.sql" "$database" 2>"$work/pgbench.log" | sed -n 's/^tps = \([0-9.]*\).*/\1/p') ||
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
