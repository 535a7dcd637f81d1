#!/bin/bash
# run.sh COMMAND …: runs a test of a client with a private, migrated Postgres (PGHOST, PGUSER, PGDATABASE) and a directory for
# doorbells (DORMOUSE_PATHS_RUNTIME_DIRECTORY); all of it is gone afterwards. DORMOUSE is the program.
set -euo pipefail

bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1) || true
if [ ! -x "${bin:-}/initdb" ]; then
    echo "SKIPPED: needs Postgres (Debian package postgresql)"
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-clients.XXXXXX")
chmod 755 "$work"
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
on_end() {
    local code=$?
    trap - EXIT
    (cd / && as_postgres "$bin/pg_ctl" --pgdata="$work/data" --mode=immediate stop >/dev/null 2>&1) || true
    rm -rf "$work"
    exit "$code"
}
trap on_end EXIT
if [ "$(id -u)" = 0 ]; then install -d -o postgres "$work/data"; else mkdir "$work/data"; fi
cd /
as_postgres "$bin/initdb" --pgdata="$work/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$work/log"
printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$work/data'" "fsync = off" >>"$work/data/postgresql.conf"
as_postgres "$bin/pg_ctl" --pgdata="$work/data" --wait --log="$work/data/log" start >"$work/log"
chmod 711 "$work/data"
mkdir "$work/run"
export PGHOST=$work/data PGUSER=postgres PGDATABASE=postgres DORMOUSE_PATHS_RUNTIME_DIRECTORY=$work/run
export PYTHONDONTWRITEBYTECODE=1 PATH="${DORMOUSE%/*}:$PATH"
"$DORMOUSE" migrate --database-url "postgresql:///postgres?host=$PGHOST" >/dev/null
"$@"
