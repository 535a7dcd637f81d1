#!/bin/bash
# A program from before ten migrations became one baseline, on a schema of today: each of its commands refuses, says what to do, and changes nothing; and this
# program on its schema likewise. Builds that program from the history of git, once; without that history it is skipped. Run by clients/run.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
skip() { echo "SKIPPED: $*"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }

git() { command git -c safe.directory="$root" -C "$root" "$@"; }
git rev-parse --git-dir >/dev/null 2>&1 || skip "operators.older_program needs a git clone: the program that it tries is built from the history"
collapse=$(git log --diff-filter=D --max-count=1 --format=%H -- sql/migrations/0006_losses.sql)
[ -n "$collapse" ] && older=$(git rev-parse --verify --quiet "$collapse^") ||
    skip "operators.older_program needs the whole history: this clone is shallow (git fetch --unshallow)"

made=$root/build/older/$older
if [ ! -x "$made/dormouse" ]; then
    source=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-older.XXXXXX")
    trap 'rm -rf "$source"' EXIT
    mkdir -p "$made"
    git archive "$older" | tar --extract --directory="$source"
    {
        cmake -S "$source" -B "$source/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS='-O0 -g0' -DBUILD_TESTING=OFF && nice -n 10 cmake --build "$source/build" --target dormouse -j2
    } >"$made/log" 2>&1 || skip "operators.older_program: commit ${older:0:12} does not build here, see $made/log"
    strip -o "$made/dormouse" "$source/build/dormouse"
fi

work=$(mktemp -d)
trap 'rm -rf "$work" "${source:-$work}"' EXIT
bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
sql() { "$bin/psql" --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname="$1" --command="$2"; }
everything() { "$bin/pg_dump" --dbname="$1" | grep -v '^.\(un\)\?restrict '; } # its key is random
url() { printf 'postgresql:///%s?host=%s&user=%s' "$1" "$PGHOST" "$PGUSER"; }

# refused PROGRAM DATABASE COMMAND …
refused() {
    local program=$1 database=$2 code=0
    shift 2
    DORMOUSE_CONFIG_DIR=$work DATABASE_URL=$(url "$database") timeout 60 "$program" "$@" >"$work/out" 2>&1 </dev/null || code=$?
    [ "$code" -ne 0 ] && [ "$code" -ne 124 ] || fail "$* ended with $code: $(cat "$work/out")"
    grep --quiet 'was applied here with other contents.*; use the release that applied it, or restore the schema from a backup' "$work/out" ||
        fail "$* said: $(cat "$work/out")"
    everything "$database" >"$work/after"
    cmp --silent "$work/before" "$work/after" || fail "$* changed the database: $(diff "$work/before" "$work/after")"
    echo "ok: $*: $(grep --only-matching 'migration .*' "$work/out" | head -n 1)"
}

# commands PROGRAM DATABASE
commands() {
    printf '[database]\nurl = "%s"\n[task.t]\ncommand = ["/bin/true"]\n' "$(url "$2")" >"$work/p.toml"
    everything "$2" >"$work/before"
    refused "$1" "$2" migrate
    [ "$1" != "$DORMOUSE" ] || refused "$1" "$2" migrate --roles # the older one grants what it knew
    refused "$1" "$2" status
    refused "$1" "$2" runs
    refused "$1" "$2" cancel --task t --yes
    refused "$1" "$2" worker p --drain --timeout 5s
}

echo "--- the program of commit ${older:0:12} on a schema of today"
sql postgres "CREATE DATABASE today"
"$DORMOUSE" migrate --database-url "$(url today)"
sql today "SELECT dormouse.enqueue('t')" >/dev/null
commands "$made/dormouse" today

echo "--- this program on the schema of that one"
sql postgres "CREATE DATABASE older"
"$made/dormouse" migrate --database-url "$(url older)"
sql older "SELECT dormouse.enqueue('t')" >/dev/null
commands "$DORMOUSE" older
