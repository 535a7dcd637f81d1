#!/bin/bash
# Heavy libraries stay out of our headers: each file that includes one compiles for seconds more.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# The one header that hands JSON to programs which embed dormouse.
mapfile -t headers < <(tree_files 'src/*.h' 'include/*.h' | grep -vx 'include/dormouse/typed.h')
find_lines '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](CLI/|nlohmann/|toml\+\+/|toml\.hpp)' \
    "a heavy header in a header of ours; include it in the .cpp and pass our own types" "${headers[@]}"
checked
