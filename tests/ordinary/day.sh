#!/bin/bash
# The test ordinary.day: a private Postgres whose clock is moved forward by hours (libfaketime, for the processes of Postgres alone: it decides
# what is due, how long a backoff is and of which day a partition is). The worker's own clock is the machine's: libfaketime 0.9 spoils timers
# of CLOCK_BOOTTIME that have an absolute time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
library=$(compgen -G '/usr/lib/*/faketime/libfaketime.so.1' | head -n 1) || true
if [ -z "$library" ]; then
    echo "SKIPPED: needs libfaketime (Debian package faketime)"
    exit 77
fi
clock=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-clock.XXXXXX")
trap 'rm -rf "$clock"' EXIT
chmod 755 "$clock"
echo "+0" >"$clock/now"
env LD_PRELOAD="$library" FAKETIME_TIMESTAMP_FILE="$clock/now" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 \
    FAKETIME_ONLY_CMDS=postgres "$here/../clients/run.sh" env -u LD_PRELOAD /usr/bin/python3 "$here/day_test.py" "$clock/now"
