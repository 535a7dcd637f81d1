#!/bin/bash
# A copied machine, as near to the original as it gets: the same machine id, boot id, host name, unit and StateDirectory with its instance
# id. Only the PID namespace is another. Neither takes the other for dead, both do runs of the one pool; the original's own successor
# takes back at once what the original held, and the copy's does not.
source "$(dirname "$0")/../lib.sh"
pool=cloned
new_pool $pool 'idle_exit = "10min"
concurrency = 1
[task.wait]
command = ["/bin/sh", "-c", "while ! [ -e /run/dormouse/cloned/free ]; do sleep 0.05; done"]'
sed -i 's/^lease = .*/lease = "1h"/' /etc/dormouse/$pool.toml
systemctl restart dormouse@$pool.service
url="postgresql://pool@127.0.0.1/$database"
copy=$(mktemp -d)
group=/sys/fs/cgroup/copy-$$.slice/dormouse@$pool.service
# shellcheck disable=SC2317 # called at the end
clone_end() {
    touch /run/dormouse/$pool/free
    echo 1 >"$group/cgroup.kill" 2>/dev/null || true
    wait_for 10 not grep -qs . "$group/cgroup.procs"
    find "${group%/*}" -depth -type d -exec rmdir {} +
    rm -rf "$copy" "$copy.run" "$copy.boot" "$copy.log"
}
at_end clone_end

holder() { sql "SELECT worker FROM dormouse.runs WHERE id = '$1' AND status = 'running'"; }
held() { [ -n "$(holder "$1")" ]; }
first=$(enqueue wait)
ring $pool
wait_for 20 held "$first"
original=$(holder "$first")

# The copy. Its cgroup says the same unit, as it would on the other machine.
mkdir -p "$group"
cp -a /var/lib/dormouse/$pool/. "$copy"
install -d -o dormouse -g dormouse "$copy.run" "$copy.run/$pool"
# As the original sees it: nspawn has put another one over the kernel's, and from 257 on systemd keeps that in the /proc of a unit.
sql "SELECT boot_id FROM dormouse.worker_registry" >"$copy.boot"
chmod 644 "$copy.boot"
start_copy() {
    bash -c "echo \$\$ >$group/cgroup.procs
        exec unshare --pid --fork --kill-child --mount --mount-proc bash -c '
            mount --bind $copy /var/lib/dormouse/$pool
            mount --bind $copy.boot /proc/sys/kernel/random/boot_id
            export STATE_DIRECTORY=/var/lib/dormouse/$pool RUNTIME_DIRECTORY=$copy.run/$pool
            export DORMOUSE_PATHS_RUNTIME_DIRECTORY=$copy.run
            exec setpriv --reuid=dormouse --regid=dormouse --clear-groups dormouse worker $pool'" >>"$copy.log" 2>&1 </dev/null &
}
rows() { sql "SELECT count(*) FROM dormouse.worker_registry WHERE pool = '$pool' AND state = 'awake'"; }
two_are_awake() { [ "$(rows)" = 2 ]; }
start_copy
wait_for 20 two_are_awake
both() { sql "SELECT count(DISTINCT coalesce($1::text, id::text)) FROM dormouse.worker_registry WHERE state = 'awake'"; }
equal "hosts, boots, units, instances of the two" "$(both host) $(both boot_id) $(both unit) $(both instance_id)" "1 1 1 1"
equal "PID namespaces of the two" "$(both pid_namespace)" 2
second=$(enqueue wait)
wait_for 20 held "$second"
holds "the second run has another worker" [ "$(holder "$second")" != "$original" ]
equal "the first run still belongs to" "$(holder "$first")" "$original"
equal "attempts that were lost so far" "$(sql "SELECT count(*) FROM dormouse.attempts WHERE outcome = 'lost'")" 0
equal "live ones that the original's machine knows" "$(dormouse workers --json --database-url "$url" | grep -c '"condition":"live"')" 2
dormouse reap --force --database-url "$url" >/dev/null
equal "workers after a reap" "$(rows)" 2

# The copy dies. Its successor leaves the original's run alone.
came=$(sql "SELECT count(*) FROM dormouse.worker_registry")
echo 1 >"$group/cgroup.kill"
wait_for 10 not grep -qs . "$group/cgroup.procs"
start_copy
successor_came() { [ "$(sql "SELECT count(*) FROM dormouse.worker_registry")" -gt "$came" ]; }
wait_for 20 successor_came
equal "the original's run still belongs to" "$(holder "$first")" "$original"

# The original dies: its own successor takes its run back at once, an hour before the lease ends.
kill_worker $pool
taken_back() { [ -n "$(holder "$first")" ] && [ "$(holder "$first")" != "$original" ] || [ "$(sql "SELECT attempts FROM dormouse.runs WHERE id = '$first'")" = 1 ]; }
wait_for 30 taken_back
say "ok: the original's successor has taken its run back"
touch /run/dormouse/$pool/free
completed_first() { completed "$first"; }
wait_for 60 completed_first
equal "attempts of the first run" "$(sql "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = '$first' AND outcome <> 'handed_back'")" "lost completed"
