#!/bin/bash
# The test system.chaos.short: 30 s of violence, with everything that is done at least once.
exec "$(dirname "$0")/../../scripts/chaos.sh" --seconds "${DORMOUSE_CHAOS_SECONDS:-30}" --seed "${DORMOUSE_CHAOS_SEED:-1}"
