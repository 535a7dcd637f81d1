#!/bin/bash
# Many runs at once: dormouse enqueue --from beside enqueue_many() and a plain COPY into a table without anything.
# ./dev bench enqueue [RUNS [ROUNDS]]: 200000 in 3 rounds. The Postgres is private and durable; each way is one transaction.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/common/lib.sh
source "$here/../common/lib.sh"
runs=${1:-200000}
rounds=${2:-3}

begin enqueue "${TMPDIR:-/tmp}"
start_postgres "max_wal_size = 4GB" "autovacuum = off"
python3 - "$runs" "$work" <<'PYTHON'
import json
import sys

runs, work = int(sys.argv[1]), sys.argv[2]
with open(f"{work}/runs.jsonl", "w") as lines, open(f"{work}/keyed.jsonl", "w") as keyed, open(f"{work}/rows", "w") as rows:
    for n in range(runs):
        payload = {"image": f"album/{n}.jpeg", "width": 1024, "height": 768, "tags": ["a", "b"]}
        lines.write(json.dumps({"task": "thumbnail", "payload": payload}) + "\n")
        keyed.write(json.dumps({"task": "thumbnail", "payload": payload, "key": f"k{n}"}) + "\n")
        rows.write(f"thumbnail\t{json.dumps(payload)}\n")
PYTHON
sql "CREATE TABLE bare (id uuid DEFAULT gen_random_uuid(), task text, payload jsonb, queue text DEFAULT 'default', status text DEFAULT 'queued',
    run_at timestamptz DEFAULT now())"
url="postgresql:///postgres?host=$work/data"
from() { DORMOUSE_CONFIG_DIR=$work "$work/bin/dormouse" enqueue --from "$1" --database-url "$url" >/dev/null 2>&1; }
way_floor() { sql "\\copy bare (task, payload) FROM '$work/rows'"; }
way_copy() { sql "\\copy dormouse.runs (task, payload) FROM '$work/rows'"; }
way_from() { from "$work/runs.jsonl"; }
way_keyed() { from "$work/keyed.jsonl"; }
way_many() { # by a thousand
    sed 's/^[^\t]*\t//' "$work/rows" | python3 -c '
import sys
from itertools import islice
print("BEGIN;")
while batch := [line.strip() for line in islice(sys.stdin, 1000)]:
    print("SELECT count(*) FROM dormouse.enqueue_many($task$thumbnail$task$, ARRAY[" + ",".join(f"$p${one}$p$" for one in batch) + "]::jsonb[]);")
print("COMMIT;")' >"$work/many.sql"
    began=$EPOCHREALTIME
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null --file="$work/many.sql"
}
: >"$work/rounds.jsonl"
for ((i = 0; i < rounds; i++)); do
    for way in floor copy from many keyed; do
        sql "TRUNCATE dormouse.runs, dormouse.keys, bare"
        sql CHECKPOINT
        began=$EPOCHREALTIME
        "way_$way"
        ended=$EPOCHREALTIME
        printf '{"way": "%s", "runs": %s, "round": %s, "s": %s}\n' "$way" "$runs" "$i" "$(awk -v a="$began" -v b="$ended" 'BEGIN { printf "%.6f", b - a }')" >>"$work/rounds.jsonl"
    done
done
python3 "$here/report.py" "$work/rounds.jsonl" "$out"
