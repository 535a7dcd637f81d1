#!/bin/bash
# Dropping a day of finished runs, 1 million and 10 million of them, and what completions beside it wait.
# ./dev bench retention [RUNS…]: by default 1000000 10000000, which takes some minutes and 6 GB. The Postgres is private and durable.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
sizes=("$@")
[ $# -gt 0 ] || sizes=(1000000 10000000)

begin retention "${TMPDIR:-/tmp}"
start_postgres "max_wal_size = 8GB" "shared_buffers = 512MB" "autovacuum = off"
: >"$work/rounds.jsonl"

# step: one step; its words, and how long its transaction took: the statement, and the commit, which removes the files when the locks are gone.
step() {
    psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 <<SQL
BEGIN;
\timing on
SELECT did, trouble FROM dormouse.retain('bench', 30 * 86400000::bigint, now());
COMMIT;
SQL
}
milliseconds() { sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; }

until step | grep -q '^|'; do :; done # partitions for now and ahead

# forget: the files leave the page cache, as those of a month ago have long left it. Freeing cached pages is what makes removing a file slow.
forget() {
    sync --file-system "$work/data"
    find "$work/data/base" -type f -size +1M -exec dd if={} iflag=nocache count=0 status=none \;
}

# Single-row completions by two clients.
cat >"$work/complete.sql" <<'SQL'
INSERT INTO dormouse.runs_finished (task, status, finished_at) VALUES ('bench', 'completed', now());
SQL
longest() { awk '$3 > most { most = $3 } END { printf "%.1f", most / 1000 }' "$@"; }

for size in "${sizes[@]}"; do
    say "filling a day with $size runs …"
    sql "DO \$\$ BEGIN EXECUTE format('CREATE TABLE dormouse.runs_finished_old PARTITION OF dormouse.runs_finished FOR VALUES FROM (%L) TO (%L)',
        now() - interval '41 days', now() - interval '40 days'); END \$\$"
    sql "INSERT INTO dormouse.runs_finished (task, status, finished_at, payload, result)
        SELECT 'thumbnail', 'completed', now() - interval '41 days' + interval '1 hour' + n * interval '1 ms',
               jsonb_build_object('image', 'album/' || n || '.jpeg', 'width', 1024), '{\"ok\": true}' FROM generate_series(1, $size) n"
    sql "CHECKPOINT"
    forget
    bytes=$(sql "SELECT pg_total_relation_size('dormouse.runs_finished_old')")
    for what in alone beside; do
        rm -f "$work"/latency.*
        (cd "$work" && "$postgres_bin/pgbench" --no-vacuum --client=2 --time=6 --file="$work/complete.sql" --log --log-prefix=latency >/dev/null 2>"$work/pgbench.log") &
        children+=($!)
        took="0 0"
        if [ "$what" = beside ]; then
            sleep 2
            answer=$(step)
            grep -q '^dropped' <<<"$answer" || die "it was not dropped: $answer"
            took=$(milliseconds <<<"$answer" | paste -sd' ')
        fi
        wait "${children[-1]}"
        children=()
        printf '{"runs": %s, "bytes": %s, "completions": "%s", "drop_ms": %s, "commit_ms": %s, "longest_completion_ms": %s}\n' \
            "$size" "$bytes" "$what" "${took% *}" "${took#* }" "$(longest "$work"/latency.*)" >>"$work/rounds.jsonl"
    done
done
python3 "$here/report.py" "$work/rounds.jsonl" "$out"
