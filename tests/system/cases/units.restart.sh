#!/bin/bash
# Whatever a pool's worker is doing when its units are switched off and on: once systemctl has returned the doorbell is there, and the look
# that a start owes is made without a ring. The moment that matters is the end of a worker, when its helper is at work.
source "$(dirname "$0")/../lib.sh"
pool=restart
new_pool $pool
service=dormouse@$pool.service
wait_for 20 asleep $pool

in_state() { [ "$(property $service SubState)" = "$1" ]; }
switch() { # switch restart|stop-start|socket|rung
    case $1 in
    restart) systemctl restart dormouse@$pool.target ;;
    stop-start) systemctl stop dormouse@$pool.target && systemctl start dormouse@$pool.target ;;
    socket) systemctl restart dormouse@$pool.socket ;;
    rung) ring $pool && systemctl restart dormouse@$pool.target ;; # a start of the worker waits already
    spooled) spool && systemctl restart dormouse@$pool.target ;;
    esac
}
spool() { printf '{"task": "work"}' >/var/spool/dormouse/$pool/.new && mv /var/spool/dormouse/$pool/{.new,"$EPOCHREALTIME".json}; }
# check WHAT: the doorbell is there, and brings a run.
check() {
    ring $pool || fail "$1: the doorbell is not there"
    say "ok: $1"
    wait_for 20 asleep $pool
    local rung
    rung=$(enqueue work)
    ring $pool
    wait_for 20 completed "$rung"
    wait_for 20 asleep $pool
}

# Owed and not rung: nothing but the look of the start finds it.
for how in restart stop-start socket rung spooled; do
    drop_in $pool slow-helper <<'DROPIN'
[Service]
ExecStopPost=/bin/sleep 0.3
DROPIN
    for round in 1 2; do
        wait_for 20 asleep $pool
        ring $pool
        wait_for 20 in_state stop-post
        unrung=$(enqueue work)
        switch $how
        wait_for 20 completed "$unrung"
        check "$how $round while the helper is at work"
    done
done
rm /etc/systemd/system/$service.d/slow-helper.conf
systemctl daemon-reload

# And at any moment of a worker's short life.
say "seed ${seed:=$RANDOM}"
RANDOM=$seed
if [ -n "${DORMOUSE_FULL:-}" ]; then rounds=30 stops=10; else rounds=8 stops=4; fi
for round in $(seq $rounds); do
    ways=(restart stop-start socket)
    how=${ways[$((RANDOM % 3))]}
    ring $pool
    sleep "0.$(printf '%03d' $((RANDOM % 250)))"
    unrung=$(enqueue work)
    state=$(property $service SubState)
    switch $how
    wait_for 20 completed "$unrung"
    check "$how $round, $state"
done
equal "files left in the spool" "$(find /var/spool/dormouse/$pool -name "*.json" | wc -l)" 0

# A stop is a stop, at whatever moment: nothing of what may be under way starts the pool again.
for round in $(seq $stops); do
    ring $pool
    sleep "0.$(printf '%03d' $((RANDOM % 250)))"
    stop_pool $pool
    for kind in socket path timer; do wait_for 20 state_is dormouse@$pool.$kind inactive; done
    wait_for 20 armed_count_is $pool 0
    holds "stop $round: no doorbell is left" test ! -e /run/dormouse/$pool.sock
    not ring $pool 2>/dev/null || fail "stop $round: a stopped pool can be rung"
    systemctl start dormouse@$pool.target
done
