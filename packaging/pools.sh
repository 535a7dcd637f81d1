#!/bin/sh
# /usr/lib/dormouse/pools start|renew|stop: what the packages' scripts do with pools whose worker is at work. Needs a running systemd.
#
#   start     after an installation: the pools that were enabled before a removal. Debian's deb-systemd-invoke starts no static unit.
#   renew     after an upgrade. A sleeping pool needs nothing: its next worker is the new program. To a worker at work it is a reload: the new
#             program takes over beside it, and it finishes what runs, however long that takes. A relay is restarted. Nobody waits for either.
#   stop      before a removal. Comes back when every worker has ended and no timer is armed.
#   hurry     used by stop after 30 s: a worker that still drains is told SIGTERM once more, which ends its grace. What has not
#             ended goes back to the queue, and its attempt is not counted.
#
# A machine that says no to one of these (a masked unit, a shutdown under way, a full /run, a shell in the wake files) is no reason for a
# package manager to stop half way: systemctl says what it refuses, and the rest is done. What policy-rc.d forbids is not tried
# (invoke-rc.d(8)).
set -u
grace=30

# allowed ACTION COMMAND: as invoke-rc.d and deb-systemd-invoke ask; says which command does it later.
allowed() {
    [ -x /usr/sbin/policy-rc.d ] || return 0
    code=0
    /usr/sbin/policy-rc.d dormouse "$1" || code=$?
    [ $code != 101 ] || echo "dormouse: policy-rc.d forbids the $1 of pools; later: $2" >&2
    [ $code != 101 ]
}

# workers STATE: the units of workers and relays in one of these states.
workers() {
    systemctl list-units --all --plain --no-legend --full --state="$1" 'dormouse@*.service' 'dormouse-relay@*.service' | cut -d' ' -f1
}
hurry() {
    for unit in $(workers deactivating); do
        # Without a main process it is the helper after the worker: that takes the time it takes.
        systemctl kill --kill-whom=main --signal=TERM "$unit" 2>/dev/null || true
    done
}
stop() {
    # The doorbells first: a ring after the stop of a worker would start the next one.
    systemctl stop dormouse.target 'dormouse@*.target' 'dormouse@*.socket' 'dormouse@*.path'
    if ! timeout $grace systemctl stop 'dormouse@*.service' 'dormouse-relay@*.service'; then
        hurry
        systemctl stop 'dormouse@*.service' 'dormouse-relay@*.service'
    fi
    systemctl stop run-dormouse.wake.mount
}

case ${1:-} in
start)
    allowed start 'systemctl restart dormouse.target' || exit 0
    # Active already: a removal was not allowed to stop it. Its doorbells have had no sockets since their units were gone.
    if systemctl --quiet is-active dormouse.target; then stop; fi
    systemctl start dormouse.target
    ;;
renew)
    at_work=$(workers active,activating,reloading)
    [ -n "$at_work" ] || exit 0
    allowed restart "systemctl try-reload-or-restart 'dormouse@*.service' 'dormouse-relay@*.service'" || exit 0
    # shellcheck disable=SC2086 # one argument for each unit
    systemctl --no-block try-reload-or-restart $at_work
    ;;
stop)
    if [ -L /etc/systemd/system/dormouse.target.wants/run-dormouse.wake.mount ]; then
        cat >&2 <<'SAID'
dormouse: local wake is in use: as long as dormouse is not installed, each commit that enqueues in a database with it succeeds with a WARNING.
  To end it for good, in each such database: dormouse migrate --no-local-wake --database-url postgresql://postgres@/DATABASE
  or, once dormouse is gone, as a superuser what the warning says: DROP FUNCTION dormouse."local_wake:POOL"() CASCADE
SAID
    fi
    # Without the units dormouse.target is no longer known to be all pools.
    allowed stop "systemctl stop dormouse.target 'dormouse@*' 'dormouse-relay@*'" || exit 0
    stop
    ;;
hurry) hurry ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
exit 0
