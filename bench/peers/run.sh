#!/bin/bash
# dormouse beside graphile-worker and pg-boss, and beside what Postgres allows here (C and libpq), on one private, durable Postgres.
# ./dev bench peers [--short] [--count N] [--rounds N] [--batch N] [--only REGEX] [--measures run,latency,start,enqueue,backlog]
#   200,000 runs, 3 rounds, batches of 1,000. Takes the peers from npm into build/bench/node. README.md here says how to read it.
#   --short   dormouse and the ceiling alone, 4,000 runs: asserts that nothing is missing afterwards. Needs no network.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
short=no
for argument in "$@"; do
    case $argument in
    --short) short=yes ;;
    -h | --help) sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    esac
done

name=peers
[ "$short" = no ] || name=peers_short
begin "$name" "${TMPDIR:-/tmp}"
build=${DORMOUSE_BUILD:-$root/build/release}
if [ "$short" = no ] || [ -z "${DORMOUSE_BUILD:-}" ]; then
    cmake --build "$build" --target bench-inprocess-worker >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
fi
cp "$build/bench-inprocess-worker" "$work/bin/worker"
compile ceiling "$here/ceiling.c" -lpq -lpthread
compile produce "$here/produce.c" -lpq
compile listener "$common/listener.c" -lpq

# The peers, and a Node that is new enough for them, are kept beside the build.
if [ "$short" = no ]; then
    export BENCH_NODE=$root/build/bench/node
    mkdir -p "$BENCH_NODE"
    cp "$here"/*.mjs "$BENCH_NODE/"
    if ! cmp --silent "$here/package.json" "$BENCH_NODE/installed"; then
        command -v npm >/dev/null || die "npm is not there, and the peers come from it: ./dev setup; --short does without"
        say "installing the peers from npm …"
        cp "$here/package.json" "$BENCH_NODE/"
        npm install --prefix "$BENCH_NODE" --no-audit --no-fund >"$work/npm.log" 2>&1 || { tail -n 30 "$work/npm.log" >&2; die "npm install failed"; }
        cp "$here/package.json" "$BENCH_NODE/installed"
    fi
fi
start_postgres
export BENCH_WORK=$work BENCH_URL="postgresql:///postgres?host=$work/data&user=postgres"
python3 "$here/drive.py" --out "$out" "$@"
[ "$short" = yes ] || python3 "$here/report.py" "$out" "${out%.jsonl}.svg"
