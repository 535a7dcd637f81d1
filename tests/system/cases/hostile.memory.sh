#!/bin/bash
# A handler that fills the memory of its unit: the kernel ends it, and neither the worker nor the run beside it.
source "$(dirname "$0")/../lib.sh"
pool=filled
new_pool $pool 'idle_exit = "10min"
[task.fill]
command = ["/bin/sh", "-c", "head -c 4000000000 /dev/zero | tail -c 4000000000"]
max_attempts = 1'
equal "when a handler is out of memory the unit goes on" "$(property dormouse@$pool.service OOMPolicy)" continue
if ! grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
    say "SKIPPED: the memory controller is not in the unified hierarchy here"
    exit 77
fi
drop_in $pool memory <<TOML
[Service]
MemoryMax=200M
MemorySwapMax=0
TOML
systemctl restart dormouse@$pool.service
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
