#!/bin/bash
# dormouse reap on a booted machine: what a unit runs is production, what somebody runs is active, and both are left; a test worker that
# is gone, or was stopped and forgotten, is stale. --force ends it and its runs go back. A pid that another process has by now is not
# touched.
source "$(dirname "$0")/../lib.sh"
pool=reaped
new_pool $pool 'idle_exit = "10min"'
url="postgresql://pool@127.0.0.1/$database"
sandbox=$(mktemp -d)
proc=$(mktemp -d)
chmod 755 "$sandbox"
started=()
# shellcheck disable=SC2317 # called at the end
reap_end() {
    if [ -e "$sandbox/daemon" ]; then started+=("$(cat "$sandbox/daemon")"); fi
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    umount "$proc" 2>/dev/null || true
    rmdir "$proc"
    rm -rf --one-file-system "$sandbox"
}
at_end reap_end

registered() { worker=$(sql "SELECT pid FROM dormouse.workers WHERE pool = '$1' AND state = 'awake'"); [ -n "$worker" ]; }
running() { [ "$(sql "SELECT count(*) FROM dormouse.runs WHERE queue = '$1' AND status = 'running'")" = 1 ]; }
# test_worker NAME: as somebody starts one in a session of theirs; its pid is in $worker. It holds one run of a queue of its own.
test_worker() {
    cat >"$sandbox/$1.toml" <<TOML
[database]
url = "$url"
[worker]
queues = ["$1"]
lease = "5s"
[task.hang]
command = ["/bin/sh", "-c", "[ -e $sandbox/free ] || exec sleep 1000"]
[task.stubborn]
command = ["/bin/sh", "-c", "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo \$\$ >$sandbox/daemon; exec sleep 1000' & exec sleep 1000"]
TOML
    systemd-run --quiet --scope dormouse worker "$1" --config "$sandbox/$1.toml" >"$sandbox/$1.log" 2>&1 </dev/null &
    started+=($!)
    wait_for 20 registered "$1"
    started+=("$worker")
    sql "SELECT dormouse.enqueue('${2:-hang}', queue => '$1')" >/dev/null
    wait_for 20 running "$1"
}
reap() { dormouse reap --database-url "$url" "$@"; }
# kind_of PID, why_of PID: what reap says of it
kind_of() { reap | awk -v pid="$1" '$3 == pid { print $1 }'; }
why_of() { reap | awk -v pid="$1" '$3 == pid'; }
lives() { [ -d "/proc/$1" ] && [ "$(awk '{ print $3 }' "/proc/$1/stat")" != Z ]; }
runs_of() { sql "SELECT concat_ws(' ', status, attempts, lost) FROM dormouse.runs WHERE queue = '$1'"; }

wait_for 20 state_is dormouse@$pool.service active
production=$(property dormouse@$pool.service MainPID)
wait_for 20 registered $pool
test_worker busy
active=$worker
test_worker killed
killed=$worker
test_worker stopped stubborn
stopped=$worker

kill -KILL "$killed"
wait_for 10 not lives "$killed"
# Ctrl-Z, and forgotten: its run is nobody's until somebody says so.
kill -STOP "$stopped"
equal "a worker of a unit is" "$(kind_of "$production")" production
equal "one that holds a run, in the foreground, is" "$(kind_of "$active")" active
equal "one that is gone is" "$(kind_of "$killed")" stale
equal "one that was stopped just now is" "$(kind_of "$stopped")" active
holds "the reason is said" grep -q "there is no process $killed; holds 1 run" <<<"$(why_of "$killed")"
is_stale() { [ "$(kind_of "$stopped")" = stale ]; }
wait_for 60 is_stale
holds "the reason is said" grep -q "is stopped, and the lease of a run it holds ended" <<<"$(why_of "$stopped")"
equal "nothing was changed so far" "$(runs_of killed), $(runs_of stopped)" "running 0 0, running 0 0"
holds "the stopped one is there" lives "$stopped"

# Another process gets the pid of the dead one. A /proc of our own, since the container's says nothing to whoever writes.
reuse() {
    echo $((killed - 1)) >"$proc/sys/kernel/ns_last_pid"
    sleep 1000 & # it is there to be left alone
    started+=($!)
    [ $! = "$killed" ]
}
if mount -t proc proc "$proc" 2>/dev/null && [ -w "$proc/sys/kernel/ns_last_pid" ]; then
    wait_for 20 reuse
    umount "$proc"
    holds "it is told from the worker" grep -q "process $killed is another one by now" <<<"$(why_of "$killed")"
    reused=yes
else
    say "SKIPPED in part: a pid cannot be chosen here (no ns_last_pid)"
fi

daemon=$(cat "$sandbox/daemon")
touch "$sandbox/free"
reap --force
holds "the worker of the unit is left" lives "$production"
holds "the active one is left" lives "$active"
equal "and keeps its run" "$(sql "SELECT status FROM dormouse.runs WHERE queue = 'busy'")" running
if [ -n "${reused:-}" ]; then holds "the process that has the pid now is left" lives "$killed"; fi
wait_for 10 not lives "$stopped"
say "ok: the stopped one was ended"
wait_for 20 not lives "$daemon"
say "ok: and the daemon of its handler with it"
equal "the run of the dead one went back, lost once" "$(runs_of killed)" "retry 1 1"
# The other one has done it itself, on its way out: it stopped the handler and handed the run back, which counts nothing, or was told first that
# the run had been taken from it, and that counts.
holds "that of the stopped one too: $(runs_of stopped)" grep -qE '^(retry|queued) (0 0|1 1)$' <<<"$(runs_of stopped)"
equal "nobody of them is awake" "$(sql "SELECT count(*) FROM dormouse.workers WHERE pool IN ('killed', 'stopped') AND condition <> 'left'")" 0
equal "nothing is stale any more" "$(reap | grep -c '^stale' || true)" 0
dormouse worker killed --config "$sandbox/killed.toml" --drain >/dev/null 2>&1
equal "a released run is executed again" "$(runs_of killed)" "completed 2 1"
