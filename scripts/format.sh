#!/bin/bash
# ./dev format [FILE…]
# Formats the C++ sources in place with clang-format 19 and .clang-format: all of them, or those named.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

if [ $# = 0 ]; then
    mapfile -t files < <(tree_files '*.h' '*.cpp')
    cd "$root"
else
    files=("$@")
fi
clang-format-19 -i --style=file:"$root/.clang-format" "${files[@]}"
say "formatted ${#files[@]} files"
