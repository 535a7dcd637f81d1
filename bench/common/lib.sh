#!/bin/bash
# Sourced by the benchmarks: a directory that is gone afterwards, a release build, and a private durable Postgres.
# DORMOUSE_BUILD=DIRECTORY takes the programs from there; OUT=FILE is where the JSON lines go.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
common=$root/bench/common
export PYTHONPATH=$common PYTHONDONTWRITEBYTECODE=1
postgres_bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
children=()

say() { printf '%s\n' "$*" >&2; }
die() { say "bench: $*"; exit 1; }

# begin NAME PARENT: $work, $out and stripped release programs in $work/bin.
begin() {
    out=${OUT:-$root/build/bench/$1.jsonl}
    mkdir -p "$2" "$(dirname "$out")"
    trap on_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    work=$(mktemp -d "$2/dormouse-$1.XXXXXX")
    mkdir "$work/bin"
    chmod 755 "$work" "$work/bin"
    local build=${DORMOUSE_BUILD:-}
    if [ -z "$build" ]; then
        build=$root/build/release
        say "building the preset release …"
        "$root/scripts/build.sh" release dormouse dormouse-due dormouse-relay dormouse-alert >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
    fi
    local program
    for program in dormouse dormouse-due dormouse-relay dormouse-alert; do strip -o "$work/bin/$program" "$build/$program" || die "no $program in $build"; done
    sync --file-system "$work/bin" # pages that are not on disk yet would count as the process's own
    BENCH_BEGAN=$(date --iso-8601=seconds) BENCH_LOAD=$(cat /proc/loadavg)
    export BENCH_BEGAN BENCH_LOAD BENCH_DORMOUSE=$work/bin/dormouse BENCH_POSTGRES=$postgres_bin/postgres
}

on_end() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    ! declare -F on_bench_end >/dev/null || on_bench_end || true
    stop_all
    if [ -d "${work:-}/data" ]; then pg_ctl_private stop --mode=immediate >/dev/null 2>&1 || true; fi
    [ -z "${work:-}" ] || rm -rf "$work"
    exit "$code"
}
stop_all() { # what was started with start_child
    local pid
    for pid in "${children[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || true; done
    children=()
}

# compile NAME SOURCE [FLAG…]: into $work/bin.
compile() {
    local name=$1 source=$2 compiler=(gcc -std=gnu11 -D_GNU_SOURCE)
    shift 2
    [[ $source != *.cpp ]] || compiler=(g++ -std=c++20)
    "${compiler[@]}" -O2 -Wall -Wextra -I"$common" -I"$(pg_config --includedir)" -o "$work/bin/$name" "$source" "$@"
}

wait_for() { # wait_for SECONDS COMMAND …
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || die "waited in vain for: $*"
        sleep 0.05
    done
}

# start_child LOG LINE COMMAND …: in the background, until it has said LINE; its pid is $child.
start_child() {
    local log=$1 line=$2
    shift 2
    : >"$log"
    "$@" >"$log" 2>&1 </dev/null &
    child=$!
    children+=("$child")
    wait_for 20 grep -q -e "$line" "$log" || { cat "$log" >&2; die "$1 did not start"; }
}

# --- a Postgres of our own -------------------------------------------------------------------------------------------
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
pg_ctl_private() { (cd / && as_postgres "$postgres_bin/pg_ctl" --pgdata="$work/data" --wait "$@"); }
sql() { psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --command="$1"; }

# start_tls_postgres: start_postgres that also listens at 127.0.0.1:$PGPORT, with the certificate $work/tls/certificate.
start_tls_postgres() {
    mkdir "$work/tls"
    (umask 077 && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/tls/key" \
        -out "$work/tls/certificate" 2>/dev/null) || die "openssl made no certificate"
    [ "$(id -u)" != 0 ] || chown -R postgres "$work/tls"
    PGPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    export PGPORT
    start_postgres "listen_addresses = '127.0.0.1'" "port = $PGPORT" "ssl = on" "ssl_cert_file = '$work/tls/certificate'" \
        "ssl_key_file = '$work/tls/key'"
}

# start_postgres [LINE…]: with these lines of configuration; fsync and synchronous_commit are on, as they are by default.
start_postgres() {
    if [ "$(id -u)" = 0 ]; then install -d -o postgres "$work/data"; else mkdir "$work/data"; fi
    chmod 0700 "$work/data"
    (cd / && as_postgres "$postgres_bin/initdb" --pgdata="$work/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8) >"$work/initdb.log"
    printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$work/data'" "$@" >>"$work/data/postgresql.conf"
    pg_ctl_private --log="$work/data/log" start >/dev/null || { cat "$work/data/log" >&2; die "Postgres did not start"; }
    chmod 0711 "$work/data"
    export PGHOST=$work/data PGUSER=postgres PGDATABASE=postgres
    "$work/bin/dormouse" migrate --database-url "postgresql:///postgres?host=$work/data" >/dev/null
    export BENCH_STORAGE
    BENCH_STORAGE="$(stat --file-system --format=%T "$work/data"), fsync $(sql 'SHOW fsync'), synchronous_commit $(sql 'SHOW synchronous_commit')"
}
