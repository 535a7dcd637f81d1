#!/bin/sh
# Writes sql/schema.sql: the schema that the migrations make, as pg_dump says it. Run it after a change in sql/migrations:
#   tests/support/dump_schema.sh [path of the dormouse program]
# The test migrate/committed_schema_is_what_the_migrations_make calls it with --print URL and compares.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
server=${DORMOUSE_POSTGRES:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}
bin=$server
[ -x "$bin/pg_dump" ] || bin=$(pg_config --bindir)
[ -x "$server/postgres" ] || server=$bin

# The dump's own settings, comments, random keys (\restrict) and empty lines differ from release to release of pg_dump.
dump() {
    text=$("$bin/pg_dump" --schema-only --no-owner --schema=dormouse --dbname="$1") || exit
    printf '%s\n' "$text" |
        sed -e '/^--/d' -e '/^SET /d' -e "/^SELECT pg_catalog.set_config/d" -e '/^\\\(un\)\{0,1\}restrict /d' | cat -s
}

if [ "${1:-}" = --major ]; then # of both: pg_dump does not read a newer server
    for program in "$bin/pg_dump" "$server/postgres"; do "$program" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'; done
    exit 0
fi
if [ "${1:-}" = --print ]; then
    dump "$2"
    exit 0
fi

dormouse=${1:-$root/build/dev/dormouse}
[ -x "$dormouse" ] || { echo "$0: $dormouse: no such program; build it, or give its path" >&2; exit 2; }
work=$(mktemp -d)
as=
if [ "$(id -u)" = 0 ]; then
    chown postgres "$work"
    as='setpriv --reuid=postgres --regid=postgres --clear-groups --'
fi
trap '$as "$bin/pg_ctl" --pgdata="$work/data" --mode=immediate stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
cd /
$as "$bin/initdb" --pgdata="$work/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >/dev/null
$as "$bin/pg_ctl" --pgdata="$work/data" --wait --log="$work/log" \
    --options="-c listen_addresses= -c unix_socket_directories=$work -c fsync=off" start >/dev/null
url="postgresql://postgres@/postgres?host=$work"
"$dormouse" migrate --database-url "$url" >/dev/null
{
    echo "-- What the migrations make. Written by tests/support/dump_schema.sh; a test compares it."
    dump "$url"
} >"$root/sql/schema.sql.new"
mv "$root/sql/schema.sql.new" "$root/sql/schema.sql"
echo "wrote sql/schema.sql"
