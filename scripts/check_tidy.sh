#!/bin/bash
# clang-tidy 19 with .clang-tidy over src/, which takes minutes: ./dev check --full runs it. It reads each file by itself, so it has a
# configuration of its own, build/tidy: the preset dev compiles many as one.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

cd "$root"
cmake --preset dev -B build/tidy -DCMAKE_UNITY_BUILD=OFF -DBUILD_TESTING=OFF >/dev/null
cmake --build build/tidy --target dormouse_sql >/dev/null # the header with the statements
while IFS= read -r line; do
    finding "$(cut -d: -f1,2 <<<"${line#"$root/"}")" "$(cut -d: -f4- <<<"$line" | sed -E 's/^ (warning|error): //')"
done < <(run-clang-tidy-19 -p build/tidy -quiet -j "$(jobs_count)" "$root/src/.*\.cpp$" 2>/dev/null |
    grep -E "^$root/[^ ]+:[0-9]+:[0-9]+: (warning|error)" | sort -u || true)
checked
