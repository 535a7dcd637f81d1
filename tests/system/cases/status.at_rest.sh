#!/bin/bash
# `dormouse status --at-rest` knows a pool that sleeps from its units and files, and has no session: asleep since when, how the worker ended,
# what is due next, what was counted. A pool that is switched off is told.
source "$(dirname "$0")/../lib.sh"
need_worker
pool=at-rest
new_pool $pool "$short
[metrics]
textfile = \"/var/lib/dormouse/$pool/mail.prom\""
wait_for 20 asleep $pool
export DORMOUSE_CONFIG_DIR=/run/at-rest
mkdir -p $DORMOUSE_CONFIG_DIR
ln -sf /etc/dormouse/$pool.toml $DORMOUSE_CONFIG_DIR/
at_end "rm -rf $DORMOUSE_CONFIG_DIR"
seen() { dormouse status --at-rest --json || [ $? = 13 ]; }
field() { seen | python3 -c 'import json, sys; print(json.load(sys.stdin)["pools"][0][sys.argv[1]])' "$1"; }
done_of() { seen | python3 -c 'import json, sys; print(*(t["completed"] for t in json.load(sys.stdin)["pools"][0]["metrics"]["totals"] if t["task"] == sys.argv[1]))' "$1"; }
code() { local code=0; dormouse status --at-rest >/dev/null || code=$?; echo $code; }

run=$(enqueue work)
ring $pool
wait_for 20 completed "$run"
wait_for 20 asleep $pool
equal "state" "$(field state)" asleep
equal "how it ended" "$(field ended)" cleanly
equal "due next" "$(field due)" nothing
holds "since when" test "$(date --date="$(field since)" +%s)" -ge "$(($(date +%s) - 60))"
holds "its doorbell listens" test "$(field listening)" = True
equal "completed, in all" "$(done_of work)" 1
equal "exit code" "$(code)" 0
reset_statements
seen >/dev/null
equal "sessions" "$(sessions)" 0

enqueue work "delay => '1 hour'" >/dev/null
ring $pool
wait_for 20 armed_count_is $pool 1
holds "due in an hour" test "$(($(date --date="$(field due_at)" +%s) - $(date +%s)))" -gt 3500

systemctl stop dormouse@$pool.target
equal "switched off" "$(field state)" off
equal "exit code" "$(code)" 13
stop_pool $pool
