#!/bin/bash
# A program of somebody's that links the installed library: the component devel alone in a tree of its own, find_package, build,
# run. It is the example that the README shows, to the letter.
source "$(dirname "$0")/lib.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
DESTDIR=$tree cmake --install "${DORMOUSE_BUILD:?}" --component devel >/dev/null
example=$tree/usr/share/doc/dormouse/examples/embed
holds "the README shows the example" python3 - "$source_dir/README.md" "$example/orders.cpp" <<'PY'
import sys
readme, example = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
sys.exit(0 if "```cpp\n" + example + "```" in readme else 1)
PY
holds "no public header names a library but those it may" not grep -rE '#include .*(spdlog|fmt/|uv\.h|libpq|tl/expected|toml)' "$tree/usr/include/dormouse"
equal "headers that need nlohmann-json" "$(cd "$tree/usr/include/dormouse" && grep -l nlohmann/json.hpp -- *.h | xargs)" typed.h
equal "names of the library's that a program can see, without its own" \
    "$(nm --defined-only --extern-only --demangle "$tree/usr/lib/libdormouse.a" | awk '$2 ~ /[TDBRVWu]/' | cut -d' ' -f3- |
        grep -vE '^dormouse::(Worker|Run)::' | xargs)" ""

cmake -S "$example" -B "$tree/build" -DCMAKE_PREFIX_PATH="$tree/usr" -DCMAKE_BUILD_TYPE=Release >"$tree/log" 2>&1 || { cat "$tree/log"; fail "cmake"; }
cmake --build "$tree/build" >"$tree/log" 2>&1 || { cat "$tree/log"; fail "the build"; }
for header in config result run worker; do # each by itself, and without nlohmann-json
    holds "$header.h compiles alone" g++ -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
        -I "$tree/usr/include" -include "dormouse/$header.h" -x c++ /dev/null
done

# It runs: without a database it says what it lacks, waits, and leaves when it is told to.
DORMOUSE_CONFIG_DIR=$tree "$tree/build/orders" nowhere 2>"$tree/said" &
program=$!
for ((i = 0; i < 200; i++)); do ! grep -q 'is not configured' "$tree/said" || break; sleep 0.05; done
holds "it says what it lacks" grep -q 'pool "nowhere" is not configured' "$tree/said"
kill -TERM "$program"
wait "$program" && code=0 || code=$?
equal "exit code" "$code" 0
