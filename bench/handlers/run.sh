#!/bin/bash
# Runs a second through handlers, without a database: exec beside posix_spawn and wait, warm beside the same processes on bare sockets.
# ./dev bench handlers [SECONDS [ROUNDS]]: 3 rounds of 5 s each, in turn. Aims: exec 0.75 of its floor; warm 10,000 runs/s, 0.8 of the
# bare sockets, and 0.3 ms more than they take for one run at a time. Warm has twice as many runs in flight as its processes take, as a
# worker has while there is a queue: the next one is at hand when one is answered, as it is for the sockets.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
seconds=${1:-5}
rounds=${2:-3}

out=${OUT:-$root/build/bench/handlers.jsonl}
mkdir -p "$(dirname "$out")"
trap on_end EXIT
work=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-handlers.XXXXXX")
mkdir "$work/bin"
bench=${DORMOUSE_BUILD:-$root/build/release}/bench/handlers/handlers_bench
if [ -z "${DORMOUSE_BUILD:-}" ]; then
    say "building the preset release …"
    "$root/scripts/build.sh" release handlers_bench >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
fi
compile floor "$here/floor.c"
python=(/usr/bin/python3 -S "$here/noop.py")

# measure WHAT ROUND COMMAND …: one line of $out.
measure() {
    local what=$1 round=$2
    shift 2
    printf '{"what": "%s", "round": %d, "figures": %s}\n' "$what" "$round" "$("$@")" >>"$out"
}
: >"$out"
BENCH_BEGAN=$(date --iso-8601=seconds) BENCH_LOAD=$(cat /proc/loadavg)
export BENCH_BEGAN BENCH_LOAD
for round in $(seq "$rounds"); do
    for at_once in 2 4; do
        measure "exec $at_once floor" "$round" "$work/bin/floor" spawn "$seconds" "$at_once" -- /bin/true
        measure "exec $at_once" "$round" "$bench" exec "$seconds" "$at_once" -- /bin/true
    done
    for unanswered in 1 8; do
        measure "warm $unanswered floor" "$round" env NOOP_CONCURRENCY="$unanswered" "$work/bin/floor" pipe "$seconds" "$unanswered" 2 -- "${python[@]}"
        measure "warm $unanswered" "$round" "$bench" warm "$seconds" $((unanswered * 4)) 2 -- /usr/bin/env NOOP_CONCURRENCY="$unanswered" "${python[@]}"
    done
    measure "warm alone floor" "$round" "$work/bin/floor" pipe "$seconds" 1 1 -- "${python[@]}"
    measure "warm alone" "$round" "$bench" warm "$seconds" 1 1 -- "${python[@]}"
done
python3 "$here/report.py" "$out"
