#!/bin/bash
# Somebody enqueues by plain SQL from where no doorbell can be reached: the relay wakes the sleeping pool. It is killed, its
# session is ended, Postgres is restarted: each time the next run is executed, and so is one that was committed before it listened
# again.
source "$(dirname "$0")/../lib.sh"
pool=relay-wakes
unit="dormouse-relay@$pool.service"
new_pool $pool
wait_for 20 asleep $pool
systemctl start $unit
relay_sessions() { database=postgres sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dormouse relay $pool'"; }
listens() { [ "$(relay_sessions)" = 1 ] && [[ $(property $unit StatusText) == "listens at "* ]]; }
wait_for 20 listens
say "   $(property $unit StatusText)"
equal "processes of the relay" "$(processes $unit)" 1
say "   memory of the relay over TCP: $(awk '/^(Rss|Pss):/ { printf "%s %s kB  ", $1, $2 }' "/proc/$(property $unit MainPID)/smaps_rollup")(aim: Rss 8192 kB)"

runs_one() { # runs_one WHAT: a run that nobody rings for, while the pool is asleep
    local run
    wait_for 30 asleep $pool
    run=$(enqueue work)
    wait_for 30 completed "$run"
    say "ok: $1: COMMIT to run started: $(sql "SELECT round(extract(epoch FROM started_at - created_at) * 1000) FROM dormouse.runs WHERE id = '$run'") ms"
}
for i in 1 2 3 4 5; do runs_one "asleep, time $i"; done
holds "dormouse status counts workers only" not grep -q "^$pool .* awake" <(wait_for 30 asleep $pool && dormouse status --pool $pool)
equal "workers in the registry that are not gone" "$(sql "SELECT count(*) FROM dormouse.workers WHERE state <> 'left'")" 0

kill -KILL "$(property $unit MainPID)"
wait_for 20 not listens
missed=$(enqueue work)
wait_for 30 completed "$missed"
wait_for 20 listens
equal "restarts of the relay" "$(property $unit NRestarts)" 1
runs_one "relay killed and restarted"

# Missed for certain: its session is gone before the run is committed.
wait_for 30 asleep $pool
missed=$(sql "SELECT CASE WHEN pg_terminate_backend(pid, 10000) THEN dormouse.enqueue('work') END
                FROM pg_stat_activity WHERE application_name = 'dormouse relay $pool'")
wait_for 30 completed "$missed"
say "ok: enqueued when its session had been ended"
wait_for 20 listens
runs_one "session ended"

wait_for 30 asleep $pool # or the worker of the last run would wait for the database
systemctl stop "$postgres_unit"
troubled() { [[ $(property $unit StatusText) == "no database"* ]]; }
wait_for 20 troubled
say "   $(property $unit StatusText)"
wait_for 30 asleep $pool
main=$(property $unit MainPID)
kill -STOP "$main" # or it might listen again before the run is committed
systemctl start "$postgres_unit"
missed=$(enqueue work)
equal "a run committed before the relay is back" "$(status_of "$missed"), sessions of the relay: $(relay_sessions)" "queued, sessions of the relay: 0"
kill -CONT "$main"
wait_for 30 completed "$missed"
wait_for 30 listens
runs_one "Postgres restarted"
equal "restarts of the relay, still" "$(property $unit NRestarts)" 1
