#!/bin/bash
# cold.sh ROUNDS: inside the booted container. Prints a JSON line for each cold ring, then the journal's lines of that time.
# shellcheck source=tests/system/lib.sh
source "$(dirname "$0")/../../tests/system/lib.sh"
rounds=$1
pool=bench-cold trivial=bench-trivial
programs=/usr/lib/dormouse-bench stamps=/run/dormouse-bench.stamps
began=$(date '+%Y-%m-%d %H:%M:%S.%6N')

install -D -t "$programs" "$DORMOUSE_BUILD"/{stamp,trivial,ring,session}
database=postgres
# The server's log tells when the worker's session was let in, in milliseconds.
for setting in "fsync = on" "log_connections = on" "log_line_prefix = '%n '"; do sql "ALTER SYSTEM SET $setting"; done
sql "SELECT pg_reload_conf()" >/dev/null
new_pool $pool "$short
[task.stamp]
handler = \"exec\"
command = [\"$programs/stamp\", \"$stamps\"]"
# The unit of every pool, its sandbox included; only the program is another one, and does not say READY=1.
use_pool $trivial
drop_in $trivial trivial <<DROPIN
[Service]
Type=exec
ExecStart=
ExecStart=$programs/trivial $stamps
DROPIN
systemctl start dormouse@$trivial.socket

cold() { # cold KIND POOL PROGRAM SQL
    local moments
    wait_for 20 asleep "$2"
    sql "$4" >/dev/null
    sleep 0.1 # the session that has inserted ends
    moments=$("$programs/ring" "/run/dormouse/$2.sock" "$stamps" "$3")
    printf '{"kind": "%s", "forked_us": %s, "moments": %s}\n' "$1" \
        "$(property "dormouse@$2.service" ExecMainStartTimestampMonotonic)" "$moments"
}
cold_dormouse() { cold dormouse $pool /usr/bin/dormouse "SELECT dormouse.enqueue('stamp')"; }
cold_trivial() { cold trivial $trivial "$programs/trivial" "SELECT 1"; }

wait_for 20 asleep $pool
for ((i = 0; i < rounds; i++)); do
    if ((i % 2)); then cold_trivial && cold_dormouse; else cold_dormouse && cold_trivial; fi
    printf '{"kind": "session", "moments": %s}\n' "$("$programs/session" "postgresql://pool@127.0.0.1/$database")"
done
wait_for 20 asleep $pool
journalctl --sync
journalctl --quiet --no-pager --output=json --since="$began" --output-fields=DORMOUSE_EVENT,_SOURCE_REALTIME_TIMESTAMP,MESSAGE \
    SYSLOG_IDENTIFIER=dormouse + _SYSTEMD_UNIT="$postgres_unit"
