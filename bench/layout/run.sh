#!/bin/bash
# Measures the layouts in variants/ against each other in a private Postgres. Prints Markdown; JSON lines go to $OUT.
#   VARIANTS="ours in_place" BATCHES="64 1000" FORMS="one" SESSIONS="1" REPS=3 OUT=layout.jsonl ./run.sh [checks]
# A variant is a folder: setup.sql runs after the migrations; claim.sql and finish.sql replace ours, claim.sed and
# finish.sed change ours, migrations.sed the migrations;
# session.sql is what a session sets before it prepares. "two sessions" is measured at the batches in TWO_AT. "checks" runs checks.sh instead.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1):$PATH
VARIANTS=${VARIANTS:-$(cd "$here/variants" && ls)}
BATCHES=${BATCHES:-8 64 256 1000}
FORMS=${FORMS:-two one}
SESSIONS=${SESSIONS:-1 2}
TWO_AT=${TWO_AT:-256 1000}
REPS=${REPS:-3}
RUNS=${RUNS:-100000}
MEASURED=${MEASURED:-$RUNS} # stop after that many of them
LIMIT_S=${LIMIT_S:-10}
OUT=$(realpath -m "${OUT:-layout.jsonl}")

work=$(mktemp -d /tmp/layout.XXXXXX)
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
cleanup() {
    as_postgres pg_ctl -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
g++ -std=c++20 -O2 -Wall -Wextra -I"$(pg_config --includedir)" -o "$work/layout" "$here/layout.cpp" -lpq -pthread

[ "$(id -u)" != 0 ] || chown postgres "$work"
chmod 755 "$work"
cd "$work"
as_postgres initdb -D "$work/data" -U dormouse -A trust --no-sync >/dev/null
as_postgres pg_ctl -D "$work/data" -w -l "$work/log" -o "-c listen_addresses='' -c unix_socket_directories='$work'" start >/dev/null
export PGHOST=$work PGUSER=dormouse PGDATABASE=postgres
export PGOPTIONS="-c client_min_messages=warning"
sql() { psql -X -q -v ON_ERROR_STOP=1 "$@"; }

# The claim is as it was when the layouts were compared: today's has parameters that nobody here would give.
ours() { if [ -e "$here/$1.sql" ]; then echo "$here/$1.sql"; else echo "$root/sql/queries/$1.sql"; fi; }
# The statement of a variant, from ours unless it has its own.
statement() { # variant claim|finish
    local folder=$here/variants/$1
    if [ -e "$folder/$2.sql" ]; then cat "$folder/$2.sql"
    elif [ -e "$folder/$2.sed" ]; then sed -f "$folder/$2.sed" "$(ours "$2")"
    else cat "$(ours "$2")"; fi
}

fill_sql() { # rows
    echo "INSERT INTO dormouse.runs (task, payload)
        SELECT 'noop', jsonb_build_object('image', 'album/2026/' || n || '.jpeg', 'width', 1024, 'height', 768, 'tags', '[\"a\", \"b\"]'::jsonb)
          FROM generate_series(1, $1) n"
}
fill() { sql -d "$1" -c "$(fill_sql "$2")"; } # database, rows

migrations_sed() {
    local own=$here/variants/$1/migrations.sed
    if [ -e "$own" ]; then echo "$own"; else echo /dev/null; fi
}

make_template() { # variant, database, rows
    sql -c "DROP DATABASE IF EXISTS $2" -c "CREATE DATABASE $2"
    { echo 'SET client_min_messages = warning; BEGIN; CREATE SCHEMA IF NOT EXISTS dormouse;'
      cat "$root"/sql/migrations/0001_baseline/*.sql | sed -f "$(migrations_sed "$1")"; echo 'COMMIT; BEGIN;'
      cat "$here/variants/$1/setup.sql"
      echo "SELECT to_regclass('dormouse.finished_runs') IS NULL AS plain \\gset"
      printf '%s\n' '\if :plain'
      echo "CREATE VIEW dormouse.finished_runs AS SELECT * FROM dormouse.runs WHERE status = 'completed';"
      printf '%s\n' '\endif'
      echo 'COMMIT;'; } | sql -d "$2" >/dev/null
    [ "$3" = 0 ] || fill "$2" "$3"
    sql -d "$2" -c 'VACUUM ANALYZE'
    statement "$1" claim >"$work/$1.claim.sql"
    statement "$1" finish >"$work/$1.finish.sql"
}

# A fresh copy of the template, pages not yet written since the last checkpoint, so that no run pays for page images.
fresh() { # template
    sql -c 'DROP DATABASE IF EXISTS bench' -c 'CHECKPOINT' -c "CREATE DATABASE bench TEMPLATE $1 STRATEGY wal_log"
}
drain() { # variant, arguments of layout
    local variant=$1; shift
    local session=$here/variants/$variant/session.sql
    [ ! -e "$session" ] || set -- session="$(cat "$session")" "$@"
    "$work/layout" "$variant" "dbname=bench" "$work/$variant.claim.sql" "$work/$variant.finish.sql" "$@"
}

if [ "${1:-}" = checks ]; then
    . "$here/checks.sh"
    exit
fi

for variant in $VARIANTS; do make_template "$variant" "t_$variant" "$RUNS"; done
: >"$OUT"
for _ in $(seq "$REPS"); do
    for sessions in $SESSIONS; do
        for batch in $BATCHES; do
            if [ "$sessions" != 1 ] && [[ " $TWO_AT " != *" $batch "* ]]; then continue; fi
            for form in $FORMS; do
                for variant in $VARIANTS; do
                    fresh "t_$variant"
                    drain "$variant" batch="$batch" sessions="$sessions" form="$form" limit_s="$LIMIT_S" runs="$MEASURED" >>"$OUT"
                done
            done
        done
    done
done
sql -c 'CREATE TABLE result (line jsonb)'
sql -c "\\copy result FROM '$OUT' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')"
sql -A -t -f "$here/table.sql"
