#!/bin/bash
# The database is down when the ring comes, and for a minute: the worker stays, owes the look, and the run completes.
source "$(dirname "$0")/../lib.sh"
pool=outage
service=dormouse@$pool.service
new_pool $pool
wait_for 20 asleep $pool
run=$(enqueue work)
systemctl stop "$postgres_unit"
ring $pool
says() { [[ $(status_text $pool) == *"$1"* ]]; }
wait_for 20 says "no database"
say "   $(status_text $pool)"
worker=$(property $service MainPID)
sleep "${DORMOUSE_OUTAGE_SECONDS:-60}" # the outage itself
equal "the same worker is still there" "$(property $service MainPID)" "$worker"
equal "restarts" "$(property $service NRestarts)" 0
systemctl start "$postgres_unit"
wait_for 60 completed "$run"
wait_for 60 asleep $pool
