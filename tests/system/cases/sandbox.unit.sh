#!/bin/bash
# `dormouse sandbox` writes what tasks ask for and takes away what none asks for any more; `worker --check` and doctor say what the unit does not
# give, with the command that mends it; `try --as-pool` is the unit's user, sandbox and environment, and a run's.
source "$(dirname "$0")/../lib.sh"
pool=unit
new_pool $pool
file=/etc/systemd/system/dormouse@$pool.service.d/50-sandbox.conf
at_end "rm -rf /srv/unit"
install -d -o dormouse /srv/unit
shows='id; umask; ulimit -c; grep -E "^(NoNewPrivs|Seccomp|Cap...):" /proc/self/status; env | grep -v -e ^DORMOUSE_RUN -e ^DORMOUSE_FENCE -e ^DORMOUSE_DEADLINE -e ^DORMOUSE_PROCESS -e ^_= | sort; cut -d" " -f5,6 /proc/self/mountinfo | sort; touch /srv/unit/a && echo wrote'
tasks() { # tasks [SANDBOX]
    configure $pool <<TOML
$short
[task.shows]
command = ["/bin/bash", "-c", '''$shows''']
sandbox = { ${1:-} }
[task.sleeps]
command = ["/bin/bash", "-c", "trap 'exit 4' TERM; echo ready >&2; while :; do sleep 0.1; done"]
[task.nine]
command = ["/bin/bash", "-c", 'read line; echo "\$line"; exit "\${line:-3}"']
TOML
}
check() { runuser -u dormouse -- dormouse worker $pool --check 3>&1 >/dev/null 2>&3 || true; }
doctor() { dormouse doctor --pool $pool | grep "pool $pool: sandbox: " || true; }

tasks
holds "nothing is needed" grep -q 'no task of pool unit needs more' <<<"$(dormouse sandbox $pool)"
equal "… and nothing is said" "$(check)$(doctor)" ""
tasks 'write = ["/srv/unit"], priority = true'
line=$(doctor)
holds "doctor says what is not given" grep -q 'task shows: sandbox.write = \["/srv/unit"\] is not given by dormouse@unit.service; sudo dormouse sandbox unit --install' <<<"$line"
holds "so does --check" grep -q 'task shows: sandbox.priority = true is not given' <<<"$(check)"
holds "who may not is told the command" grep -q 'only root may.*: sudo dormouse sandbox unit --install' <<<"$(runuser -u dormouse -- dormouse sandbox $pool --install 2>&1 || true)"
holds "printed, as JSON too" grep -q '"settings":\["ReadWritePaths=-/srv/unit"\]' <<<"$(dormouse sandbox $pool --json)"
holds "nothing is written by printing" not test -e $file
holds "installed" grep -q 'in force at the worker.s next start: systemctl try-restart dormouse@unit.service' <<<"$(dormouse sandbox $pool --install)"
equal "systemd has read it" "$(property dormouse@$pool.service ReadWritePaths | tr ' ' '\n' | grep srv)" "-/srv/unit"
equal "the file is what is printed" "$(cat $file)" "$(dormouse sandbox $pool)"
equal "nothing is missing any more" "$(check)" ""
holds "doctor agrees" grep -q '^ok' <<<"$(doctor)"
rmdir /srv/unit
holds "a directory that is not there" grep -q '/srv/unit is not there' <<<"$(check)"
mkdir /srv/unit
holds "… or is another's" grep -q 'may not be written by the user dormouse; sudo install -d -o dormouse /srv/unit' <<<"$(check)"
chown dormouse /srv/unit

# A run of the pool and a trial see the same.
run=$(enqueue shows)
ring $pool
wait_for 20 completed "$run"
sql "SELECT result #>> '{}' FROM dormouse.runs WHERE id = '$run'" >/tmp/unit.run
dormouse try shows --pool $pool --as-pool 2>/dev/null | jq -r . >/tmp/unit.try
holds "a run wrote where it may now" grep -qx wrote /tmp/unit.run
equal "a trial differs from a run in" "$(diff /tmp/unit.run /tmp/unit.try || true)" ""
code() { local code=0; "$@" >/dev/null 2>&1 || code=$?; echo $code; }
equal "the exit code is the handler's" "$(code dormouse try nine 9 --pool $pool --as-pool)" 9
equal "the payload may come by a file, and by stdin" "$(echo 7 >/tmp/payload; code dormouse try nine @/tmp/payload --pool $pool --as-pool; code dormouse try nine - --pool $pool --as-pool <<<8)" "7
8"
holds "only root" grep -q 'only root may.*: sudo dormouse try nine --as-pool' <<<"$(runuser -u dormouse -- dormouse try nine --as-pool 2>&1 || true)"
dormouse try sleeps --pool $pool --as-pool 2>/tmp/unit.sleeps &
trial=$!
wait_for 20 grep -q ready /tmp/unit.sleeps
kill -TERM $trial
ended=0
wait $trial || ended=$?
equal "SIGTERM ends the handler" "$ended" 4
no_trial() { [ -z "$(systemctl list-units --all --no-legend "dormouse-try-$pool-*")" ]; }
wait_for 20 no_trial

tasks
equal "what nobody needs is taken away" "$(dormouse sandbox $pool --install | cut -d, -f1)" "$file is removed"
holds "… the file" not test -e $file
equal "… and from systemd" "$(property dormouse@$pool.service ReadWritePaths | grep -c srv || true)" 0
tasks 'priority = true'
install -D /dev/stdin $file <<<'[Service]'
holds "a file of somebody's own is left alone" grep -q 'is not written over' <<<"$(dormouse sandbox $pool --install 2>&1 || true)"
equal "… as it was" "$(cat $file)" "[Service]"
