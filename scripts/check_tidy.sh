#!/bin/bash
# clang-tidy 19 with .clang-tidy over src/. It needs a configured build/dev, and takes minutes: ./dev check --full runs it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

[ -f "$root/build/dev/compile_commands.json" ] || die "clang-tidy needs build/dev: ./dev build first"
cd "$root"
while IFS= read -r line; do
    finding "$(cut -d: -f1,2 <<<"${line#"$root/"}")" "$(cut -d: -f4- <<<"$line" | sed -E 's/^ (warning|error): //')"
done < <(run-clang-tidy-19 -p build/dev -quiet -j "$(jobs_count)" "$root/src/.*\.cpp$" 2>/dev/null |
    grep -E "^$root/[^ ]+:[0-9]+:[0-9]+: (warning|error)" | sort -u || true)
checked
