#!/bin/bash
# C++ is laid out as clang-format 19 does it with .clang-format.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

mapfile -t sources < <(tree_files '*.h' '*.cpp')
[ "${#sources[@]}" -gt 0 ] || exit 0
cd "$root"
# one line for each file is enough: the remedy is the same for all of its lines
while IFS=: read -r file line _; do
    finding "$file:$line" "not as clang-format has it; ./dev format $file"
done < <(clang-format-19 --dry-run -Werror --style=file "${sources[@]}" 2>&1 | grep -E '^[^ ]+:[0-9]+:[0-9]+: error' | sort -t: -k1,1 -u)
checked
