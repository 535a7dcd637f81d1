#!/bin/bash
# ./dev chaos [--seconds N] [--seed S] [--rate R] [--load [--every N]] [--notify always]
# Two hosts (systemd booted in containers), one durable Postgres between them, and N seconds (default 600) of violence by a plan
# that the seed decides: workers, handlers and Postgres killed, workers frozen beyond their lease, the network cut, half-open or
# late, units restarted. Then the account: what was enqueued, what became of it, and whether a stale write was ever accepted.
# --load: 200 runs a second that do not let up, and nothing but Postgres restarted, every minute (--every N); how long it takes until the
# backlog is gone.
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
