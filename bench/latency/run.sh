#!/bin/bash
# Warm insert → the handler starts: an idle, awake worker beside a bare program that LISTENs and spawns.
# ./dev bench latency [COUNT]: 300 inserts for each, in 3 rounds in turn; the Postgres is private, durable, on a local disk.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
count=${1:-300}
rounds=3

begin latency "${TMPDIR:-/tmp}"
compile stamp "$common/stamp.c" -static
compile insert "$here/insert.cpp" -lpq
compile listener "$common/listener.c" -lpq
start_postgres
url="postgresql:///postgres?host=$work/data&user=postgres"
stamps=$work/stamps
cat >"$work/pool.toml" <<TOML
[database]
url = "$url"
[task.stamp]
handler = "exec"
command = ["$work/bin/stamp", "$stamps"]
TOML

# round KIND LINE COMMAND …: starts the one that is measured, once it has said LINE; it serves the queue of its name alone.
round() {
    local kind=$1
    shift
    start_child "$work/$kind.log" "$@"
    "$work/bin/insert" "$url" "$stamps" "$kind" $((count / rounds)) >"$work/lines"
    sed "s/^{/{\"kind\": \"$kind\", /" "$work/lines" >>"$work/moments.jsonl"
    stop_all
    sql "DELETE FROM dormouse.runs" >/dev/null
}
listener=$work/bin/listener
for ((i = 0; i < rounds; i++)); do
    round worker listening "$work/bin/dormouse" worker bench --config "$work/pool.toml" --set worker.queues=worker
    round floor listening "$listener" "$url" "$(sql "SELECT dormouse.channel('queue:floor')")" "$work/bin/stamp" "$stamps"
    round claim listening "$listener" "$url" "$(sql "SELECT dormouse.channel('queue:claim')")" --claim claim "$work/bin/stamp" "$stamps"
done
python3 "$here/report.py" "$work/moments.jsonl" "$out"
