#!/bin/bash
# ./dev chaos [--seconds N] [--seed S] [--rate R] [--load [--every N]] [--notify always]
# Two hosts (systemd booted in containers), one durable Postgres between them, and N seconds (default 600) of violence by a plan
# that the seed decides: workers, handlers and Postgres killed, workers frozen beyond their lease, the network cut, half-open or
# late, units restarted. The clock of a host is not made to jump: containers share the machine's, so that Postgres and the driver would
# jump along (that leases are counted on CLOCK_BOOTTIME, unit.boot_clock shows).
# Then the account: what was enqueued, what became of it, and whether a stale write was ever accepted. It fails, too,
# when a full minute goes by without a worker, a handler and Postgres killed, and when ten minutes or more see fewer than 50 stale
# writes attempted: what is not tried proves nothing.
# --load: 200 runs a second that do not let up, and nothing but Postgres restarted, every minute (--every N); how long it takes until the
# backlog is gone, which it has to be before the next one.
# --notify always: producers are never relied on to leave it out (docs/notify.md).
# The table and its JSON lines are in build/chaos; DORMOUSE_CHAOS_OUT and DORMOUSE_BUILD name other directories. Takes root.
# With DORMOUSE_BUILD=build/asan whatever a sanitizer says about worker, helper or command line, leaks too, is a finding.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

"$root/tests/system/boot.sh" check
build=${DORMOUSE_BUILD:-}
if [ -z "$build" ]; then
    build=$root/build/dev
    "$root/scripts/build.sh" dev dormouse dormouse-due dormouse-relay
fi
PYTHONDONTWRITEBYTECODE=1 exec python3 "$root/tests/chaos/chaos.py" --build "$build" --out "${DORMOUSE_CHAOS_OUT:-$root/build/chaos}" "$@"
