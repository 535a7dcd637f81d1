#!/bin/bash
# What a claim of 8 runs costs behind few and many rows: buffers for each claimed run, and time.
# ./dev bench claims [LIVE [FINISHED]]: 1000000 queued and 10000000 finished runs by default, some ten minutes. The Postgres is private.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
live=${1:-1000000}
finished=${2:-10000000}
batch=8

on_bench_end() { [ -z "${holder:-}" ] || kill "$holder" 2>/dev/null || true; }
begin claims "${TMPDIR:-/tmp}"
start_postgres "shared_buffers = 1GB" "autovacuum = off" "max_wal_size = 4GB" "synchronous_commit = off"

fresh() { sql "TRUNCATE dormouse.runs"; }
# fill ROWS QUEUES PRIORITIES: evenly over queues and priorities, and due in another order than they lie in, so that neighbours in the index are
# on pages of their own however many there are.
fill() {
    sql "INSERT INTO dormouse.runs (task, queue, priority, run_at, payload)
        SELECT 'thumbnail', 'q' || n % $2, n / $2 % $3, now() - n::bigint * 7919 % 1000003 * interval '1 ms', '{\"image\": \"album/1.jpeg\"}'
          FROM generate_series(1, $1) n"
}
settle() { psql --no-psqlrc --quiet --command='VACUUM (ANALYZE) dormouse.runs' --command=CHECKPOINT; }

# session STATEMENT…: one session with the settings that matter of a worker's, and the claim prepared; what it says.
one_task="'{thumbnail}', '{1000000}', '{}'"
session() {
    {
        echo "PREPARE claim AS $(cat "$root/sql/queries/claim.sql");"
        printf '%s\n' "$@"
    } | PGOPTIONS='-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off' \
        psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1
}
# measure SHAPE ROWS QUEUES: a line of JSON. Each claim is rolled back, so that the next finds the same rows, and vacuum takes away the dead
# versions that it has made.
measure() {
    local arguments i commands=()
    arguments="'{$3}', $batch, '00000000-0000-4000-8000-000000000001', 300000, 1000000, ${tasks:-$one_task}"
    for ((i = 0; i < 9; i++)); do
        commands+=("BEGIN;" "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE claim($arguments);" "ROLLBACK;" "${between-VACUUM dormouse.runs_live;}")
    done
    session "${commands[@]}" >"$work/plans"
    python3 "$here/plans.py" "$1" "$2" "$work/plans" 2 >>"$work/rounds.jsonl"
}
names() { seq --format='q%.0f' --separator=, 0 "$(($1 - 1))"; }
: >"$work/rounds.jsonl"

for rows in 10000 "$live"; do
    fresh; fill "$rows" 1 1; settle
    measure "one queue" "$rows" q0
    [ "$rows" = 10000 ] || {
        say "$finished finished runs …"
        sql "INSERT INTO dormouse.runs (task, queue, status, finished_at, payload)
            SELECT 'thumbnail', 'q0', 'completed', now(), '{\"image\": \"album/1.jpeg\"}' FROM generate_series(1, $finished)"
        settle
        measure "one queue" "$rows and $finished finished" q0
    }
    fresh; fill "$rows" 1 1
    sql "UPDATE dormouse.runs SET run_at = now() + interval '1 day' WHERE random() < 0.5"; settle
    measure "half of them not due" "$rows" q0
    fresh; fill "$rows" 1 1000; settle
    measure "1,000 priorities" "$rows" q0
    fresh; fill "$rows" 1 1
    sql "INSERT INTO dormouse.runs (task, queue, priority, run_at)
        SELECT 't', 'other', -9, now() - interval '1 day' FROM generate_series(1, $rows / 10)"; settle
    measure "behind a tenth as many of a queue that is not served" "$rows" q0
    # All at once: half of a thousand queues' runs are not due, in ten priorities, behind 100,000 of a queue that is not served.
    fresh; fill "$rows" 1000 10
    sql "UPDATE dormouse.runs SET run_at = now() + interval '1 day' WHERE random() < 0.5"
    sql "INSERT INTO dormouse.runs (task, queue, priority, run_at) SELECT 't', 'a', -9, now() - interval '1 day' FROM generate_series(1, 100000)"; settle
    measure "1,000 queues, 10 priorities, half not due, 100,000 not served" "$rows" "$(names 1000)"
    fresh; fill "$rows" 1000 1; settle
    measure "1,000 queues, all served" "$rows" "$(names 1000)"
    sql "DELETE FROM dormouse.runs WHERE queue <> 'q999'"; settle
    measure "1,000 queues, all served, empty but the last" "$rows" "$(names 1000)"
    # Behind a million of a task that is not known, and of one that has no free slot; and among many tasks.
    fresh; fill 1000 1 1
    sql "INSERT INTO dormouse.runs (task, queue, run_at) SELECT 'other', 'q0', now() - interval '1 day' FROM generate_series(1, $rows)"; settle
    measure "behind runs of a task that is not known" "$rows" q0
    tasks="'{thumbnail,other}', '{1000000,0}', '{}'" measure "behind runs of a task without a free slot" "$rows" q0
    tasks="'{$(seq --format='t%.0f' --separator=, 1 1999),thumbnail}', '{$(yes 9 | head -n 2000 | paste -sd,)}', '{}'" \
        measure "2,000 tasks known, one of them waits" "$rows" q0
done

# A snapshot that somebody holds: rows that were claimed and have finished since then stay in the index, dead, in front of those that are due.
dead() {
    fresh; fill 200000 1 1; settle
    (cd / && exec psql --no-psqlrc --quiet --command='BEGIN ISOLATION LEVEL REPEATABLE READ' --command='SELECT count(*) FROM dormouse.worker_registry' \
        --command='SELECT pg_sleep(600)' >/dev/null 2>&1) &
    holder=$!
    wait_for 20 snapshot_held
    sql "DELETE FROM dormouse.runs_live WHERE ctid = ANY (ARRAY(SELECT ctid FROM dormouse.runs_live ORDER BY queue, priority, run_at, id LIMIT 100000))"
}
snapshot_held() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND backend_xmin IS NOT NULL")" = 1 ]; }
release() { sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid()" >/dev/null; wait "$holder" 2>/dev/null || true; holder=; }
between=
fresh; fill 100000 1 1; settle
measure "a snapshot is held" "no dead rows" q0
dead
measure "a snapshot is held" "100000 dead in front" q0
release
python3 "$here/report.py" "$work/rounds.jsonl" "$out"
