#!/bin/bash
# Memory of an idle worker with a TLS session, beside a bare libpq listener; size of the stripped programs.
# ./dev bench memory: three of each, in turn, none beside another; read from /proc/PID/smaps, in kB of 1024 bytes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
runs=200 # after which the worker is measured again

begin memory "${TMPDIR:-/tmp}"
compile listener "$common/listener.c" -lpq
start_tls_postgres
url="postgresql://postgres@127.0.0.1:$PGPORT/postgres?sslmode=require"
cat >"$work/pool.toml" <<TOML
[database]
url = "$url"
[task.work]
handler = "exec"
command = ["/bin/true"]
TOML

encrypted() { [ "$(sql "SELECT count(*) FROM pg_stat_ssl WHERE ssl")" = 1 ]; }
all_ended() { [ "$(sql "SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'")" = 0 ]; }
kept() { # kept KIND NUMBER: what the kernel says about $child
    wait_for 10 encrypted
    sleep 1 # what follows the connection is over: it is about a process that does nothing
    cp "/proc/$child/smaps" "$work/$1.$2.smaps"
    cp "/proc/$child/status" "$work/$1.$2.status"
}

say "an idle worker and a bare listener, three times each …"
for i in 1 2 3; do
    start_child "$work/worker.log" listening "$work/bin/dormouse" worker bench --config "$work/pool.toml"
    kept worker $i
    sql "SELECT dormouse.enqueue('work') FROM generate_series(1, $runs)" >/dev/null
    wait_for 60 all_ended
    kept "worker after $runs runs" $i
    stop_all
    start_child "$work/listener.log" listening "$work/bin/listener" "$url" "dormouse:default"
    kept "bare listener" $i
    stop_all
done
python3 "$here/report.py" "$work" "$out"
