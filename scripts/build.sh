#!/bin/bash
# ./dev build [PRESET] [TARGET…]
# Configures and builds a preset of CMakePresets.json into build/PRESET: dev (default), asan (address and undefined
# behaviour sanitizers), tsan (thread sanitizer), clang (by clang 19) or release. DORMOUSE_JOBS says how many compilers run at the same time.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

preset=${1:-dev}
[ $# = 0 ] || shift
cd "$root"
# Anew each time: it takes a second when nothing has changed, and a build directory from elsewhere is noticed.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" >"$log" 2>&1; then
    cat "$log" >&2
    die "cmake cannot configure the preset $preset (./dev setup installs what it needs)"
fi
cmake --build --preset "$preset" --parallel "$(jobs_count)" ${1:+--target "$@"}
