#!/bin/bash
# A flood of rings causes a number of looks that is bounded by time and not by rings, nobody who rings is held up, and the pool
# works afterwards; with a worker that stays, and with one that leaves all the time.
source "$(dirname "$0")/../lib.sh"
seconds=5
flood() { # flood POOL
    local pool=$1 rings began looked
    reset_statements
    began=$(date +%s%N)
    /usr/bin/python3 "$(dirname "$0")/../flood.py" "$pool" 5000
    rings=5000
    while [ $((($(date +%s%N) - began) / 1000000000)) -lt $seconds ]; do
        ring "$pool"
        rings=$((rings + 1))
    done
    looked=$(looks)
    say "$pool: $rings rings, $looked looks, $(activations "$pool") activations in $((($(date +%s%N) - began) / 1000000)) ms"
    holds "looks are bounded by time" test "$looked" -le $(((($(date +%s%N) - began) / 1000000000 + 1) * 20))
    run=$(enqueue work)
    ring "$pool"
    wait_for 30 completed "$run"
}
new_pool flood-stays 'idle_exit = "1h"
look_exit = "1h"'
wait_for 20 has_session
flood flood-stays
equal "activations" "$(activations flood-stays)" 1
stop_pool flood-stays
new_pool flood-leaves
wait_for 20 asleep flood-leaves
flood flood-leaves
wait_for 30 asleep flood-leaves
