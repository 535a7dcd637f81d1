#!/bin/bash
# A handler in a home directory, or that works in one: the run's error says that the unit's sandbox closes it, and what opens it; that does.
source "$(dirname "$0")/../lib.sh"
pool=at-home
new_pool $pool
at_end "rm -rf /home/at-home"
install -D -m 0755 /dev/stdin /home/at-home/handler <<<'#!/bin/sh'
configure $pool <<TOML
$short
[task.program]
command = ["/home/at-home/handler"]
[task.directory]
command = ["/bin/true"]
working_directory = "/home/at-home"
[task.relative]
command = ["./handler"]
working_directory = "/home/at-home"
TOML
stop_pool $pool
systemctl start dormouse@$pool.target
# What is wrong with a pool's own programs uses up no attempt: a run waits, with the reason.
has_error() { [ -n "$(sql "SELECT error FROM dormouse.runs WHERE id = '$1'")" ]; }
for task in program directory relative; do
    run=$(enqueue $task)
    ring $pool
    wait_for 20 has_error "$run"
    holds "$task: the error names the remedy" grep -q 'ProtectHome=read-only' <<<"$(sql "SELECT error FROM dormouse.runs WHERE id = '$run'")"
done
drop_in $pool home <<<"[Service]
ProtectHome=read-only"
systemctl restart dormouse@$pool.service
sql "UPDATE dormouse.runs SET run_at = now()" >/dev/null
ring $pool
wait_for 20 all_completed
