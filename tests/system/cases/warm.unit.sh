#!/bin/bash
# The examples for handlers as they are, with the clients as they are installed and the tables of docs/first-handler.md, in real units: what the sandbox
# leaves them is enough. A warm process has a cgroup of its own below its unit's, what it says is in the journal as its run's, and
# when the pool is asleep none is left.
source "$(dirname "$0")/../lib.sh"
need_worker
source_dir=$(cd "$(dirname "$0")/../../.." && pwd)
new_database warm
at_end rm -rf /srv/app
install -D -t /srv/app "$source_dir"/examples/handlers/*
cat >/srv/app/talk.py <<'PYTHON'
import os, time
from dormouse import serve, task

@task
def talk(payload, run):
    print("from print")
    run.log("beware", level="warning")
    while not os.path.exists("/srv/app/go"): time.sleep(0.02)

serve()
PYTHON
table() { # table FILE: what the page has for it
    awk -v file="\"/srv/app/$1\"" '/^```/ { if (index(text, "[task.hello]") == 1 && index(text, file)) printf "%s", text; text = ""; next }
                                   { text = text $0 "\n" }' "$source_dir/docs/first-handler.md"
}
start() { # start POOL FILE [TABLES]
    use_pool "$1"
    configure "$1" <<TOML
$short
queues = ["$1"]
$(table "$2")
${3:-}
TOML
    systemctl start "dormouse@$1.target"
}
greets() { # greets POOL
    local run
    run=$(enqueue hello "'{\"name\": \"Zürich\"}', queue => '$1'")
    ring "$1"
    wait_for 30 completed "$run"
    equal "$1: the result" "$(sql "SELECT result FROM dormouse.runs WHERE id = '$run'")" '{"hello": "Zürich"}'
}

if [ "$(node -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0)" -ge 18 ]; then
    cat >/srv/app/prints.mjs <<'NODE'
import { serve, task } from '/usr/share/dormouse/clients/node/dormouse.js';
task('prints', () => { for (let line = 0; line < 20; ++line) console.log('x'.repeat(100000)); });
serve();
NODE
    start warm-node hello.mjs '[task.prints]
handler = "warm"
command = ["/usr/bin/node", "/srv/app/prints.mjs"]'
    greets warm-node
    # Far more than a pipe takes at once is printed when the handler returns: it is the run's all the same, up to limits.log_bytes.
    printing=$(enqueue prints "queue => 'warm-node'")
    ring warm-node
    wait_for 30 completed "$printing"
    holds "what is printed last" grep -q 'bytes more were written' <<<"$(sql "SELECT text FROM dormouse.logs WHERE run_id = '$printing' ORDER BY line DESC LIMIT 1")"
    wait_for 20 asleep warm-node
else
    say "SKIPPED: hello.mjs: there is no node 18 or later"
fi
if command -v jq >/dev/null; then
    start warm-shell hello.sh
    greets warm-shell
    equal "what it said on the way" "$(sql "SELECT progress || ' ' || progress_text FROM dormouse.attempts WHERE run_id = (SELECT id FROM dormouse.runs WHERE queue = 'warm-shell')")" "0.5 greets"
    wait_for 20 asleep warm-shell
else
    say "SKIPPED: hello.sh: there is no jq"
fi

start warm-python hello.py '[task.talk]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/talk.py"]'
talking=$(enqueue talk "queue => 'warm-python'")
greets warm-python
entry() { journalctl --quiet --no-pager --output=json DORMOUSE_EVENT=run_log DORMOUSE_RUN_ID="$talking" | grep "$1"; }
wait_for 20 entry beware >/dev/null
for line in 'from print/6' 'beware/4'; do # the level of what is printed is info
    for field in 'DORMOUSE_TASK":"talk' 'DORMOUSE_ATTEMPT":"1' "PRIORITY\":\"${line#*/}"; do
        holds "${line%/*}: $field" grep -qF "\"$field\"" <<<"$(entry "${line%/*}")"
    done
done

# Both processes are there now: one is at work, the other waits for more.
unit=dormouse@warm-python.service
worker=$(property $unit MainPID)
group=/sys/fs/cgroup$(property $unit ControlGroup)
pids=()
for script in talk.py hello.py; do
    mapfile -t own < <(pgrep --full "^/usr/bin/python3 /srv/app/$script")
    equal "processes of $script" "${#own[@]}" 1
    cgroup=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/${own[0]}/cgroup")
    equal "$script: the place of its cgroup in the unit's" "$(sed "s/run-$worker-[0-9]*\$/run-P-N/" <<<"${cgroup#"$group"}")" /run-P-N
    equal "$script: who is in it" "$(cat "$cgroup/cgroup.procs")" "${own[0]}"
    holds "$script: its sandbox is the worker's" [ "$(readlink "/proc/${own[0]}/ns/mnt")" = "$(readlink "/proc/$worker/ns/mnt")" ]
    pids+=("${own[0]}")
done
holds "which is one" [ "$(readlink "/proc/$worker/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
: >/srv/app/go
wait_for 20 completed "$talking"
wait_for 20 asleep warm-python
for pid in "$worker" "${pids[@]}"; do holds "process $pid is gone" not kill -0 "$pid" 2>/dev/null; done
holds "so is the unit's cgroup" [ ! -e "$group" ]
