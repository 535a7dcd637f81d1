#!/bin/bash
# In-process runs a second: functions that do nothing, by the handlers alone and through a private, durable Postgres.
# ./dev bench inprocess [COUNT]: 200,000 queued runs for each concurrency, 2,000,000 for the handlers alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
count=${1:-200000}

begin inprocess "${TMPDIR:-/tmp}"
build=${DORMOUSE_BUILD:-$root/build/release}
cmake --build "$build" --target bench-inprocess-handlers bench-inprocess-worker >"$work/build.log" 2>&1 ||
    { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
cp "$build/bench-inprocess-handlers" "$work/bin/handlers"
cp "$build/bench-inprocess-worker" "$work/bin/worker"
say "load $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) cores; the aim is 50,000 runs/s"
: >"$out"
for concurrency in 4 64 1000; do "$work/bin/handlers" $((count * 10)) "$concurrency" | tee -a "$out"; done
start_postgres
url="postgresql:///postgres?host=$work/data&user=postgres"
for concurrency in 4 64 1000; do
    sql "TRUNCATE dormouse.runs" >/dev/null
    sql "INSERT INTO dormouse.runs (task, payload) SELECT 'nothing', '{\"customer\": \"somebody\"}' FROM generate_series(1, $count)" >/dev/null
    sql "VACUUM ANALYZE dormouse.runs" >/dev/null
    sql CHECKPOINT >/dev/null
    "$work/bin/worker" "$url" "$count" "$concurrency" | tee -a "$out"
    completed=$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'")
    [ "$completed" = "$count" ] || die "$completed of $count are completed"
done
