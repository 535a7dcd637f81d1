#!/bin/bash
# shellcheck disable=SC2154 # what is not set here is set by demo_pool.sh
# Sourced by demo_pool.sh: a private Postgres in $work/db, on a unix socket only, stopped with the demo. Two people use it:
# the pool (role dormouse_demo, with what the role dormouse_worker may do), and whoever watches (the superuser). What is
# counted is everybody but the watcher.

postgres_pid=

postgres_up() {
    local bin
    bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
    [ -n "$bin" ] || die "there is no Postgres in /usr/lib/postgresql (./dev setup installs it)"
    mkdir -p "$work/db"
    if [ -n "$worker_user" ]; then chown "$worker_user" "$work/db"; fi
    cd "$work/db" || return 1 # initdb and postgres want a directory they may read
    as_worker "$bin/initdb" --pgdata="$work/db/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        --no-sync >"$work/log/initdb" 2>&1
    # setsid: Ctrl-C is for the demo, which stops it last
    exec_as_worker setsid "$bin/postgres" -D "$work/db/data" -c listen_addresses='' -c unix_socket_directories="$work/db" \
        -c shared_preload_libraries=pg_stat_statements -c max_connections=30 >"$work/log/postgres" 2>&1 </dev/null &
    postgres_pid=$!
    cd /
    export PGHOST=$work/db PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=10
    wait_for 30 pg_isready --quiet
    sql "CREATE DATABASE demo"
    export PGDATABASE=demo
    sql "CREATE EXTENSION pg_stat_statements"
}

postgres_migrate() {
    local url="postgresql://postgres@/demo?host=$work/db"
    "$work/bin/dormouse" migrate --database-url "$url" >"$work/log/migrate"
    "$work/bin/dormouse" migrate --roles --database-url "$url" >>"$work/log/migrate"
    sql "CREATE ROLE dormouse_demo LOGIN" "GRANT dormouse_worker TO dormouse_demo"
}

# SIGINT is a fast shutdown: open sessions are ended.
postgres_down() { end_process INT "$postgres_pid"; }

# sql STATEMENT…: as the watcher; rows come as tab-separated lines.
sql() {
    local options=() statement
    for statement in "$@"; do options+=(--command="$statement"); done
    psql --no-psqlrc --quiet --tuples-only --no-align --field-separator=$'\t' --set=ON_ERROR_STOP=1 "${options[@]}"
}

sessions() { sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'postgres'"; }
statements() {
    sql "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname <> 'postgres'"
}
