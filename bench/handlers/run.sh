#!/bin/bash
# Runs a second through handlers, without a database: exec beside posix_spawn and wait, also with a cgroup for each run; warm beside the same
# processes on bare sockets, by hand and with the clients; in-process. ./dev bench handlers [SECONDS [ROUNDS]]: 3 rounds of 5 s each, in turn.
# Aims: exec 0.75 of its floor; warm 10,000 runs/s, 0.8 of the bare sockets, and 0.3 ms more than in-process for one run at a time. Warm has
# twice as many runs in flight as its processes take, as a worker has while there is a queue: the next one is at hand when one is answered,
# as it is for the sockets.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
seconds=${1:-5}
rounds=${2:-3}

out=${OUT:-$root/build/bench/handlers.jsonl}
mkdir -p "$(dirname "$out")"
trap on_end EXIT
group=
on_bench_end() { [ -z "$group" ] || rmdir "$group"; }
work=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-handlers.XXXXXX")
mkdir "$work/bin"
bench=${DORMOUSE_BUILD:-$root/build/release}/bench/handlers/handlers_bench
if [ -z "${DORMOUSE_BUILD:-}" ]; then
    say "building the preset release …"
    "$root/scripts/build.sh" release handlers_bench >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
fi
compile floor "$here/floor.c"
python=(/usr/bin/python3 -S "$here/noop.py")
declare -A clients=(
    [python]="/usr/bin/env PYTHONPATH=$root/clients/python PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -S $here/noop_task.py"
    [node]="$(command -v node || true) $here/noop_task.mjs"
)
if ! command -v node >/dev/null; then
    say "SKIPPED: the client for Node: there is no node"
    unset 'clients[node]'
fi

# A cgroup as systemd would delegate it: what is started by in_group has one of its own below for each run.
for cgroups in /sys/fs/cgroup /sys/fs/cgroup/unified ''; do [ ! -e "$cgroups/cgroup.controllers" ] || break; done
own=$cgroups$(sed -n 's/^0:://p' /proc/self/cgroup)
if [ -n "$cgroups" ] && mkdir "${own%/}/dormouse-bench-$$" 2>/dev/null; then
    group=${own%/}/dormouse-bench-$$
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.delegate", b"1")' "$group"
else
    say "SKIPPED: exec with a cgroup for each run: there is no cgroup v2 that this user may write to"
fi
in_group() { (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@"); }

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
        [ -z "$group" ] || measure "exec $at_once cgroup" "$round" in_group "$bench" exec "$seconds" "$at_once" "$cgroups" -- /bin/true
    done
    for unanswered in 1 8; do
        measure "warm $unanswered floor" "$round" env NOOP_CONCURRENCY="$unanswered" "$work/bin/floor" pipe "$seconds" "$unanswered" 2 -- "${python[@]}"
        measure "warm $unanswered" "$round" "$bench" warm "$seconds" $((unanswered * 4)) 2 -- /usr/bin/env NOOP_CONCURRENCY="$unanswered" "${python[@]}"
    done
    measure "in-process alone" "$round" "$bench" in_process "$seconds" 1
    measure "warm alone floor" "$round" "$work/bin/floor" pipe "$seconds" 1 1 -- "${python[@]}"
    measure "warm alone" "$round" "$bench" warm "$seconds" 1 1 -- "${python[@]}"
    for client in "${!clients[@]}"; do
        read -ra command <<<"${clients[$client]}"
        measure "$client floor" "$round" "$work/bin/floor" pipe "$seconds" 1 2 -- "${command[@]}"
        measure "$client" "$round" "$bench" warm "$seconds" 4 2 -- "${command[@]}"
        measure "$client alone" "$round" "$bench" warm "$seconds" 1 1 -- "${command[@]}"
    done
done
python3 "$here/report.py" "$out"
