#!/bin/bash
# 800 runs a second while somebody holds a snapshot, so that vacuum removes nothing: does a backlog grow, and what does a claim take?
# ./dev bench snapshot [SECONDS [AFTER]]: as long without a snapshot as with one, 300 s each by default; then AFTER seconds (a fifth) behind what an
# hour of that leaves, 2,880,000 runs that are gone. The Postgres is private and durable. RATE=N runs a second, GONE=N runs that are gone, QUIET=N
# seconds without a snapshot.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
seconds=${1:-300}
after=${2:-$((seconds / 5))}
rate=${RATE:-800}
gone=${GONE:-$((rate * 3600))}

on_bench_end() { [ -z "${holder:-}" ] || kill "$holder" 2>/dev/null || true; }
begin snapshot "${TMPDIR:-/tmp}"
build=${DORMOUSE_BUILD:-$root/build/release}
cmake --build "$build" --target bench-producers-worker >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
cp "$build/bench-producers-worker" "$work/bin/worker"
start_postgres "max_wal_size = 4GB"

# Each tenth statement of the worker is logged with its time, nobody else's.
"$work/bin/dormouse" migrate --roles --database-url "postgresql:///postgres?host=$work/data" >&2
sql "CREATE ROLE worker LOGIN IN ROLE dormouse_worker"
sql "ALTER ROLE worker SET log_min_duration_sample = 0"
sql "ALTER ROLE worker SET log_statement_sample_rate = 0.1"
cat >"$work/pool.toml" <<TOML
[database]
url = "postgresql:///postgres?host=$work/data&user=worker"
[paths]
spool_directory = "$work/run"
TOML
mkdir -p "$work/run/bench"
echo "SELECT dormouse.enqueue('bench')" >"$work/enqueue.sql"
DORMOUSE_PATHS_RUNTIME_DIRECTORY=$work/run RUNTIME_DIRECTORY=$work/run/bench "$work/bin/worker" "$work/pool.toml" >"$work/worker.log" 2>&1 </dev/null &
children+=("$!")
is_there() { [ "$(sql "SELECT count(*) FROM dormouse.workers WHERE state = 'awake'")" = 1 ]; }
wait_for 20 is_there

backlog() { sql "SELECT count(*) FROM dormouse.runs_live WHERE status IN ('queued', 'retry')"; }
# period NAME SECONDS: one line of JSON, with the backlog once a second.
period() {
    local began backlogs=() pgbench
    say "$1: $2 s …"
    began=$(sql "SELECT now()")
    stat --format=%s "$work/data/log" >"$work/offset"
    "$postgres_bin/pgbench" --no-vacuum --protocol=prepared --client=4 --jobs=1 --rate="$rate" --time="$2" --file="$work/enqueue.sql" \
        >"$work/pgbench.out" 2>"$work/pgbench.log" &
    pgbench=$!
    while kill -0 "$pgbench" 2>/dev/null; do
        backlogs+=("$(backlog)")
        sleep 1
    done
    wait "$pgbench" || { cat "$work/pgbench.log" >&2; die "pgbench failed"; }
    sql "SELECT json_build_object('period', '$1', 'seconds', $2, 'enqueued', count(*), 'backlog', '[$(IFS=,; echo "${backlogs[*]}")]'::json,
            'delays_ms', array(SELECT round((extract(epoch FROM started_at - created_at) * 1000)::numeric, 2) FROM dormouse.runs_finished
                                WHERE created_at >= '$began' AND random() < 0.1))
           FROM dormouse.runs WHERE created_at >= '$began'" >"$work/period.json"
    tail -c "+$(($(cat "$work/offset") + 1))" "$work/data/log" >"$work/period.log"
    python3 "$here/report.py" period "$work/period.json" "$work/period.log" >>"$work/rounds.jsonl"
}
# hold: a snapshot, in a session that does nothing more.
hold() {
    (cd / && exec psql --no-psqlrc --quiet --command='BEGIN ISOLATION LEVEL REPEATABLE READ' \
        --command='SELECT count(*) FROM dormouse.worker_registry' --command='SELECT pg_sleep(86400)' >/dev/null 2>&1) &
    holder=$!
    wait_for 20 is_held
}
is_held() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND backend_xmin IS NOT NULL")" = 1 ]; }

: >"$work/rounds.jsonl"
period warm 5
: >"$work/rounds.jsonl"
period quiet "${QUIET:-$seconds}"
hold
period held "$seconds"
say "$gone runs come and go …"
# As they do: queued, claimed, gone; in one transaction, so that nobody takes them for work.
(cd / && psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1) <<SQL
BEGIN;
INSERT INTO dormouse.runs_live (task, run_at) SELECT 'bench', now() - n * interval '1 ms' FROM generate_series(1, $gone) n;
UPDATE dormouse.runs_live SET status = 'running', started_at = run_at, fence = 0, lease_until = run_at + interval '5 min',
       worker = '00000000-0000-4000-8000-000000000001' WHERE task = 'bench' AND status = 'queued' AND run_at < now();
DELETE FROM dormouse.runs_live WHERE fence = 0;
COMMIT;
SQL
sql "CHECKPOINT"
period "held, an hour later" "$after"
python3 "$here/report.py" all "$work/rounds.jsonl" "$out"
