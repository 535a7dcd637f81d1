#!/bin/bash
# The command of the page that stops a pool and waits for it: it returns when the last handler has ended, and nothing of the pool is left.
source "$(dirname "$0")/../lib.sh"
pool=stopped
new_pool $pool 'look_exit = "5min"
[task.some]
command = ["/bin/sleep", "4"]'
run=$(enqueue some)
ring $pool
running() { [ "$(status_of "$run")" = running ]; }
wait_for 20 running
line=$(grep -o "systemctl stop dormouse@POOL.target dormouse@POOL.service" "$(dirname "$0")/../../../docs/operations.md")
${line//POOL/$pool}
equal "the run when the command has returned" "$(status_of "$run"), attempts $(attempts_of "$run")" "completed, attempts 1"
equal "the worker" "$(property dormouse@$pool.service ActiveState)" inactive
wait_for 10 state_is dormouse@$pool.socket inactive
