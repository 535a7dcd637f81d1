#!/bin/bash
# The crash points of src/ (base/crash_point.h): each name is there once, and a test kills a process at it: those that a worker
# passes are in tests/postgres/crash_points.h, in arrays of which each is the data of a test; those that need a systemd in
# tests/system/cases/crash.*.sh.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

cd "$root"
tests=(tests/postgres/crash_points.h tests/system/cases/crash.*.sh)
points=$(grep -rnoP 'crash_point\("\K[^"]*(?=")' src --include='*.cpp')
# each part of a round has two (src/store/parts.cpp)
parts=$(grep -noP '\{Part::[a-z_]+, "\K[a-z_]+' src/store/parts.cpp)
points+=$'\n'$(sed 's|.*|src/store/parts.cpp:&.sent|' <<<"$parts")$'\n'$(sed 's|.*|src/store/parts.cpp:&.answered|' <<<"$parts")
tested=$(cat "${tests[@]}" | grep -oP '(name = "|(?:dies|crash|successor_dies)_at )\K[a-z_]+\.[a-z_]+' | sort -u)
while IFS=: read -r file line name; do
    same=$(grep -c ":$name\$" <<<"$points")
    if [ "$same" != 1 ]; then finding "$file:$line" "the crash point $name is in src/ $same times; each place has a name of its own"; fi
    if ! grep -qx "$name" <<<"$tested"; then
        finding "$file:$line" "no test dies at the crash point $name; add it to ${tests[0]} or to a case crash.*.sh"
    fi
done <<<"$points"
cases=$(cat tests/*/*_test.cpp | tr -d '[:space:]')
while IFS=: read -r line array; do
    if [[ $cases != *"data::make($array)"* ]]; then
        finding "${tests[0]}:$line" "no test has data::make($array): nobody dies at its crash points"
    fi
done < <(grep -noP 'std::vector<Moment> \K[a-z_]+' "${tests[0]}")
# A name of a test that is not in src/ is found by that test: nobody dies there.
checked
