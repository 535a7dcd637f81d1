#!/bin/bash
# A handler that fills the memory of its unit: the kernel ends it, and neither the worker nor the run beside it.
source "$(dirname "$0")/../lib.sh"
pool=filled
new_pool $pool 'idle_exit = "10min"
[task.fill]
command = ["/bin/sh", "-c", "head -c 4000000000 /dev/zero | tail -c 4000000000"]
max_attempts = 1'
equal "when a handler is out of memory the unit goes on" "$(property dormouse@$pool.service OOMPolicy)" continue
# Where the memory controller is not systemd's to use, it may be in the hierarchy of old, where we make the group ourselves.
limit=$((200 << 20))
old=$(mktemp -d)
group=
# shellcheck disable=SC2317 # called at the end
memory_end() {
    if [ -n "$group" ]; then while read -r pid; do echo "$pid" >"$old/cgroup.procs"; done <"$group/cgroup.procs"; rmdir "$group"; fi
    umount "$old" 2>/dev/null || true
    rmdir "$old"
}
at_end memory_end
if grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    drop_in $pool memory <<TOML
[Service]
MemoryMax=$limit
MemorySwapMax=0
TOML
    systemctl restart dormouse@$pool.service
elif mount -t cgroup -o memory cgroup "$old" 2>/dev/null && mkdir "$old/dormouse-filled"; then
    say "the memory controller is not in the unified hierarchy here: its group is one of the old hierarchy"
    group=$old/dormouse-filled
    echo $limit >"$group/memory.limit_in_bytes"
    systemctl restart dormouse@$pool.service
    property dormouse@$pool.service MainPID >"$group/cgroup.procs"
else
    say "SKIPPED: there is no memory controller here"
    exit 77
fi
worker=$(property dormouse@$pool.service MainPID)
beside=$(enqueue slow)
filling=$(enqueue fill)
ring $pool
failed() { [ "$(status_of "$filling")" = failed ]; }
wait_for 60 failed
wait_for 60 completed "$beside"
equal "the worker is still" "$(property dormouse@$pool.service MainPID)" "$worker"
say "it failed as: $(sql "SELECT error ->> 'message' FROM dormouse.runs WHERE id = '$filling'" | head -n 1)"
equal "attempts that were lost" "$(sql "SELECT count(*) FROM dormouse.attempts WHERE outcome = 'lost'")" 0
