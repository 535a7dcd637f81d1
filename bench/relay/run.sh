#!/bin/bash
# Memory of a relay, beside a bare libpq listener: over a unix socket, over TCP, over TCP with TLS; as the program of the unit
# and as `dormouse relay`. ./dev bench relay: each three times, one after the other; kB of 1024 bytes from smaps_rollup.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"

begin relay "${TMPDIR:-/tmp}"
compile listener "$common/listener.c" -lpq
start_tls_postgres

kept() { # kept KIND WAY: of $child, once it does nothing
    sleep 0.5 # what follows the connection is over: it is about a process that does nothing
    awk -v kind="$1" -v way="$2" '/^(Rss|Pss|Private_Dirty):/ { value[$1] = $2 }
        END { printf "%-34s %-14s %8d %8d %8d\n", kind, way, value["Rss:"], value["Pss:"], value["Private_Dirty:"] }' \
        "/proc/$child/smaps_rollup" | tee -a "$work/figures"
}
printf '%-34s %-14s %8s %8s %8s\n' "kB" "" Rss Pss "private dirty"
for way in unix "tcp" "tls" "tls verify-full"; do
    case $way in
    unix) url="postgresql://postgres@/postgres?host=$PGHOST&port=$PGPORT" ;;
    tcp) url="postgresql://postgres@127.0.0.1:$PGPORT/postgres?sslmode=disable" ;;
    tls) url="postgresql://postgres@127.0.0.1:$PGPORT/postgres?sslmode=require" ;;
    *) url="postgresql://postgres@localhost:$PGPORT/postgres?sslmode=verify-full&sslrootcert=$work/tls/certificate" ;;
    esac
    printf '[database]\nurl = "%s"\n' "$url" >"$work/pool.toml"
    for _ in 1 2 3; do
        DORMOUSE_CONFIG_DIR=$work start_child "$work/relay.log" listening "$work/bin/dormouse-relay" pool
        kept dormouse-relay "$way"
        stop_all
        start_child "$work/relay.log" listening "$work/bin/dormouse" relay --config "$work/pool.toml"
        kept "dormouse relay" "$way"
        stop_all
        start_child "$work/listener.log" listening "$work/bin/listener" "$url&gssencmode=disable" "dormouse:default"
        kept "bare libpq listener" "$way"
        stop_all
    done
done
