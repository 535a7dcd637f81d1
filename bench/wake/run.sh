#!/bin/bash
# Cold ring → the handler starts, in a booted systemd, beside a trivial service in the same sandbox.
# ./dev bench wake [ROUNDS]: 50 of each, in turn. Needs root: see tests/system/boot.sh.
# ./dev bench wake sandbox [ROUNDS]: what each line of the unit costs at a start, 15 of each.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
what=cold
if [ "${1:-}" = sandbox ]; then what=sandbox; shift; fi
rounds=${1:-$([ $what = cold ] && echo 50 || echo 15)}
boot=$root/tests/system/boot.sh
"$boot" check

on_bench_end() { [ -z "${DORMOUSE_SYSTEM_STATE:-}" ] || "$boot" stop >/dev/null 2>&1; }
begin wake "$root/build/bench"
compile stamp "$common/stamp.c" -static
compile trivial "$here/trivial.c" -static
compile ring "$here/ring.c" -static
compile session "$here/session.c" -lpq
compile nothing "$here/nothing.c" -static
export DORMOUSE_BUILD=$work/bin DORMOUSE_SYSTEM_STATE=$work/container
"$boot" start
if [ $what = sandbox ]; then
    "$boot" exec "$here/sandbox.sh" "$rounds"
    exit
fi
say "$rounds cold rings of each kind …"
export BENCH_STORAGE="memory (the disk of the container), fsync on" BENCH_LOAD
BENCH_LOAD=$(cat /proc/loadavg)
"$boot" exec "$here/cold.sh" "$rounds" >"$work/moments.jsonl"
python3 "$here/report.py" "$work/moments.jsonl" "$out"
