#!/bin/bash
# The test system.chaos.load: 200 runs a second for five minutes, and Postgres restarted in each of them. Takes its five minutes, so
# only in the long form; what it costs a run is in system.chaos.short as well.
if [ -z "${DORMOUSE_FULL:-}" ]; then
    echo "SKIPPED: takes five minutes; run it with ./dev test --full, or ./dev chaos --load --seconds 300"
    exit 77
fi
exec "$(dirname "$0")/../../scripts/chaos.sh" --load --seconds "${DORMOUSE_LOAD_SECONDS:-300}" --seed "${DORMOUSE_CHAOS_SEED:-1}"
