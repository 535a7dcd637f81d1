#!/bin/bash
# Each doorbell of a sleeping pool: what a producer does → its run starts, in a booted systemd. What the README's table quotes.
# ./dev bench doorbells [ROUNDS]: 20 of each, in turn. Needs root: see tests/system/boot.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
rounds=${1:-20}
boot=$root/tests/system/boot.sh
"$boot" check

on_bench_end() { [ -z "${DORMOUSE_SYSTEM_STATE:-}" ] || "$boot" stop >/dev/null 2>&1; }
begin doorbells "$root/build/bench"
export DORMOUSE_BUILD=$work/bin DORMOUSE_SYSTEM_STATE=$work/container
"$boot" start
say "$rounds cold rings of each doorbell …"
export BENCH_STORAGE="memory (the disk of the container), fsync off" BENCH_LOAD
BENCH_LOAD=$(cat /proc/loadavg)
"$boot" exec "$here/doors.sh" "$rounds" | grep '^{' >"$work/delays.jsonl"
python3 "$here/report.py" "$work/delays.jsonl" "$out"
