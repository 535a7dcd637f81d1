#!/bin/bash
# Sourced by a case for one doorbell: a doorbell is a level and not an edge. Whatever the worker is doing when it is rung, it is answered
# by that worker or by the next one, with nobody's help: the due timer and Restart= are switched off.
# The case defines: send [TASK], which brings a run to the pool through this doorbell alone and prints its id.

# shellcheck disable=SC2034 # configure's
slow=2
# shellcheck disable=SC2154 # pool is the case's
no_rescue() {
    drop_in "$pool" no-rescue <<'DROPIN'
[Service]
ExecStopPost=
Restart=no
DROPIN
}

level_phases() {
    local first second
    wait_for 20 asleep "$pool"
    first=$(send work)
    wait_for 20 completed "$first"
    say "ok: rung while asleep"

    drop_in "$pool" slow-start <<'DROPIN'
[Service]
ExecStartPre=/bin/sleep 0.7
DROPIN
    wait_for 20 asleep "$pool"
    first=$(send work)
    wait_for 20 state_is "dormouse@$pool.service" activating
    second=$(send work)
    wait_for 20 completed "$first"
    wait_for 20 completed "$second"
    say "ok: rung while it starts"
    rm "/etc/systemd/system/dormouse@$pool.service.d/slow-start.conf"
    systemctl daemon-reload

    first=$(send slow)
    wait_for 20 running "$first"
    second=$(send work)
    wait_for 20 completed "$second"
    wait_for 20 completed "$first"
    # The end of a run is a reason to look, too.
    equal "rung while it runs: it was answered before that run had ended" \
        "$(sql "SELECT b.started_at < a.finished_at FROM dormouse.runs a, dormouse.runs b WHERE a.id = '$first' AND b.id = '$second'")" t

    wait_for 20 asleep "$pool"
    first=$(send slow)
    wait_for 20 running "$first"
    systemctl kill --kill-whom=main --signal=TERM "dormouse@$pool.service"
    wait_for 20 leaves "$pool"
    second=$(send work)
    wait_for 20 completed "$first"
    wait_for 20 completed "$second"
    say "ok: rung while it leaves"

    wait_for 20 asleep "$pool"
    first=$(send slow)
    wait_for 20 running "$first"
    kill_worker "$pool"
    second=$(send work)
    wait_for 20 completed "$second"
    say "ok: rung while it is dead"

    systemctl stop "dormouse@$pool.target"
    wait_for 20 asleep "$pool"
    first=$(send work)
    systemctl start "dormouse@$pool.target"
    wait_for 20 completed "$first"
    say "ok: rung while its target is stopped"
}
running() { [ "$(status_of "$1")" = running ]; }
leaves() { systemctl show --property=StatusText --value "dormouse@$1.service" | grep -q '^leaving'; }
