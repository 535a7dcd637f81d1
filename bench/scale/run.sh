#!/bin/bash
# What each operation costs as data grows: by id, by filter, claims, commands; a small database and a large one, asked in turn.
# ./dev bench scale [--full | LIVE FINISHED DAYS]: 200000 1000000 30 by default, some ten minutes; --full is 1000000 10000000 400, an hour and 12 GB.
# The small one has 1,000 live runs, one day, and of finished runs as many as the large one has a day, but 20,000. The Postgres is private.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
[ "${1:-}" != --full ] || set -- 1000000 10000000 400
live=${1:-200000}
finished=${2:-1000000}
days=${3:-30}

begin scale "${TMPDIR:-/tmp}"
start_postgres "shared_buffers = 1GB" "autovacuum = off" "max_wal_size = 4GB" "synchronous_commit = off" "max_locks_per_transaction = 256"
url() { printf 'postgresql:///%s?host=%s&user=postgres' "$1" "$work/data"; }
script() { psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 "$@"; }

# make NAME LIVE FINISHED DAYS WORKERS
make() {
    say "making $1: $2 live runs, $3 finished ones of $4 days …"
    PGDATABASE=template1 sql "CREATE DATABASE $1 TEMPLATE postgres"
    script --dbname="$1" --file="$here/cost.sql" --set=live="$2" --set=finished="$3" --set=days="$4" --set=workers="$5" --file="$here/fill.sql"
}
make small 1000 "$((finished / days > 20000 ? finished / days : 20000))" 1 100
make large "$live" "$finished" "$days" 100000
sql CHECKPOINT

# The worker's statements, as its session has them.
prepared() {
    printf 'SELECT pg_backend_pid() AS pid \\gset\nPREPARE open AS %s;\nEXECUTE open(:pid) \\g /dev/null\n' "$(grep -v '^--' "$root/sql/queries/open_session.sql")"
    local name
    for name in claim due backlog enqueue_next worker_arrives; do printf 'PREPARE %s AS %s;\n' "$name" "$(cat "$root/sql/queries/$name.sql")"; done
}
prepared >"$work/worker.sql"
# measure WHAT AIM STATEMENT [SETUP]: both databases. AIM: some of ratio=, ms=, locks=. AS=worker: in a session of a worker's; TIMES; PER: divides the time.
measure() {
    local size before=/dev/null
    [ "${AS:-}" != worker ] || before=$work/worker.sql
    for size in small large; do
        printf '%s' "CALL bench.cost(json_build_object('what', :'what', 'aim', :'aim', 'size', '$size'), :'setup', :'statement', ${TIMES:-9}, ${PER:-1})" |
            script --dbname="$size" --set=what="$1" --set=aim="$2" --set=statement="$3" --set=setup="${4:-}" --file="$before" --file=- >>"$work/rounds.jsonl" ||
            die "$1, $size"
    done
}
# program WHAT AIM ARGUMENT…: dormouse, from its start to its end. {kind} as in cost.sql.
program() {
    local what=$1 aim=$2 size n kind id took began arguments
    shift 2
    for size in small large; do
        took=
        for n in 0 1 2 3; do
            arguments=("$@")
            while IFS='|' read -r kind id; do arguments=("${arguments[@]//"{$kind}"/$id}"); done \
                < <(PGDATABASE=$size sql "SELECT kind, what FROM bench.one WHERE n % 10 = $n")
            began=$EPOCHREALTIME
            "$work/bin/dormouse" "${arguments[@]}" --database-url "$(url "$size")" >"$work/said" 2>&1 || [ $? = 13 ] || { cat "$work/said" >&2; die "$what, $size"; }
            [ "$n" = 0 ] || took+=${took:+, }$((${EPOCHREALTIME/./} - ${began/./})).0e-3
        done
        printf '{"what": "%s", "aim": "%s", "size": "%s", "times": [%s]}\n' "$what" "$aim" "$size" "$took" >>"$work/rounds.jsonl"
    done
}
: >"$work/rounds.jsonl"
export DORMOUSE_CONFIG_DIR=$work/pools
mkdir "$work/pools"

say "by id …"
by_id="ratio=1.5 locks=40"
measure "result(id)" "$by_id" "SELECT * FROM dormouse.result('{old}')"
measure "result(id) that nobody has" "$by_id" "SELECT * FROM dormouse.result(gen_random_uuid())"
measure "run(id), of dormouse show" "$by_id" "$(sed "s/\$1::uuid/'{old}'::uuid/" "$root/sql/queries/cli/show.sql")"
measure "retry(id) of a failed one" "$by_id" "SELECT dormouse.retry('{failed}')"
measure "cancel(id) of a waiting one" "$by_id" "SELECT dormouse.cancel('{waiting}')"
measure "archive(id)" "$by_id" "SELECT dormouse.archive('{failed}')"
measure "UPDATE … WHERE id AND status = 'queued'" "$by_id" "UPDATE dormouse.runs SET priority = 1 WHERE id = '{waiting}' AND status = 'queued'"
measure "UPDATE … WHERE id AND finished_at" "$by_id" "UPDATE dormouse.runs SET archived_at = now() WHERE id = '{old}' AND finished_at = '{old_at}'"
measure "UPDATE … WHERE id alone" "$by_id" "UPDATE dormouse.runs SET priority = 1 WHERE id = '{waiting}'"
measure "enqueue()" "ratio=1.5" "SELECT dormouse.enqueue('t1')"
measure "enqueue_many() of 100 with new keys" "ratio=1.5" \
    "SELECT dormouse.enqueue_many('t1', array_fill('{}'::jsonb, '{100}'), keys => ARRAY(SELECT 'new-' || n FROM generate_series(1, 100) n))"
measure "enqueue_many() of 50 with keys that are taken" "ratio=1.5" \
    "SELECT dormouse.enqueue_many('t1', array_fill('{}'::jsonb, '{50}'), keys => ARRAY(SELECT k.key FROM dormouse.keys k WHERE k.task = 't1' LIMIT 50))"

say "by filter …"
bulk="ms=30 ratio=1.5"
measure "cancel_runs, a portion of 200" "$bulk" "SELECT * FROM dormouse.cancel_runs('queued')"
measure "archive_runs of failed ones" "$bulk" "SELECT * FROM dormouse.archive_runs('failed')"
PER=10 TIMES=3 measure "… each of 10" "ms=30" "SELECT bench.portions('archive_runs', '''failed''', 10)"
measure "archive_runs, older than half of the days" "$bulk" "SELECT * FROM dormouse.archive_runs('failed', older_than => '$((days * 12)) hours')"
measure "archive_runs, task that nobody has: 10,000 looked at" "$bulk" "SELECT * FROM dormouse.archive_runs('failed', task => 'nosuch')"
measure "retry_runs of failed ones" "$bulk" "SELECT * FROM dormouse.retry_runs('failed')"
PER=10 TIMES=3 measure "… with one error, each of 10" "ms=30" "SELECT bench.portions('retry_runs', '''failed'', error => ''503''', 10)"

say "commands …"
quick="ms=200"
few="ms=50"
program "dormouse runs" "$few" runs
program "dormouse runs --since 1h" "$few" runs --since 1h
program "dormouse runs --since 1h --status failed" "$few" runs --since 1h --status failed
program "dormouse runs --status canceled, of which there are none" "$few" runs --status canceled
program "dormouse runs --task nosuch" "$few" runs --task nosuch
program "dormouse runs --queue nosuch" "$few" runs --queue nosuch
program "dormouse runs --error nosuch" "$few" runs --status failed --error nosuch
program "dormouse runs --key nosuch" "$few" runs --key nosuch
program "dormouse show ID" "$quick" show "{old}"
program "dormouse status" "$quick" status
program "dormouse status --json" "$quick" status --json
program "dormouse doctor" "$quick" doctor
program "dormouse workers" "$quick" workers
program "dormouse history" "$quick" history
program "dormouse archive --status failed --dry-run" "$quick" archive --status failed --dry-run

say "the worker's statements …"
series() { printf "'{%s}'" "$(seq --format="$1" --separator=, "$2" "$3")"; }
queues=$(series q%.0f 0 199)
tasks=$(series t%.0f 0 49)
worker="'00000000-0000-4000-8000-000000000001'"
measure "the queues of status" "$quick" "$(cat "$root/sql/queries/cli/queues.sql")" "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off"
measure "the failing tasks of status" "$quick" "$(cat "$root/sql/queries/cli/failing.sql")"
AS=worker measure "the backlog for metrics and alerts" "$quick" "EXECUTE backlog($queues, $tasks)"
AS=worker measure "how long until something is due" "$quick" "EXECUTE due($queues, $worker, 300000, '{}', $tasks, '{}')"
AS=worker measure "a worker arrives" "ms=2" \
    "EXECUTE worker_arrives('00000000-0000-4000-8000-999999999999', 'p', '{q0}', NULL, 'h', 1, 1, $worker, $worker, '1', 1, 8, NULL, false, 8)"
hundred=$(series 00000000-0000-4000-9000-%012.0f 1 100)
AS=worker measure "enqueue_next for 100 that have ended" "ratio=1.5" \
    "EXECUTE enqueue_next($worker, $hundred, $(series %.0f 1 100), array_fill('[{\"task\": \"next\"}]'::text, '{100}'))" \
    "INSERT INTO dormouse.runs_finished (id, task, status, started_at, finished_at, worker, last_fence)
     SELECT u.id, 't1', 'completed', now(), now(), $worker, u.n FROM unnest($hundred::uuid[]) WITH ORDINALITY u (id, n)"

say "claims …"
script --dbname=small --set=live=1000 --file="$here/walk.sql"
script --dbname=large --set=live="$live" --file="$here/walk.sql"
claim() { printf "EXECUTE claim('{walk}', 8, %s, 300000, 1000000, '%s', '%s', '{}')" "$worker" "$1" "$2"; }
AS=worker TIMES=21 measure "a claim of 8 behind runs of a task that is not known" "ratio=1.2" "$(claim '{thumbnail}' '{8}')"
AS=worker TIMES=21 measure "… behind runs of a task without a free slot" "ratio=1.2" "$(claim '{slow,thumbnail}' '{0,8}')"
AS=worker TIMES=21 measure "how long until something is due, behind them" "ratio=1.2" "EXECUTE due('{walk}', $worker, 300000, '{}', '{thumbnail}', '{}')"
python3 "$here/report.py" "$work/rounds.jsonl" "$out" "$live live, $finished finished of $days days"
