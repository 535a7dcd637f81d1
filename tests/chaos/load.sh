#!/bin/bash
# The test system.chaos.load: 200 runs a second for ten seconds, with a restart of Postgres in their middle; with ./dev test --full for
# five minutes, with a restart in each.
if [ -n "${DORMOUSE_FULL:-}" ]; then seconds=300 every=60; else seconds=10 every=10; fi
exec "$(dirname "$0")/../../scripts/chaos.sh" --load --seconds "${DORMOUSE_LOAD_SECONDS:-$seconds}" --every $every --seed "${DORMOUSE_CHAOS_SEED:-1}"
