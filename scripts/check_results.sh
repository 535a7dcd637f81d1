#!/bin/bash
# What a Result has is either a value or an error. A check of a test makes its message in any case, so one that asks for the error of what has a
# value has undefined behaviour; the tl::expected of Debian 13 asserts it, that of Debian 12 is silent.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

mapfile -t sources < <(tree_files 'tests/*.cpp' 'tests/*.h')
# A result that is checked to be there, and on this line or the next its error without a condition.
while IFS=: read -r file line name; do
    finding "$file:$line" "the error of $name is read when $name has a value; ($name ? \"\" : $name.error().message)"
done < <(cd "$root" && awk '
    FNR == 1 { last = "" }
    {
        both = last $0
        if (match(both, /_?(TEST|REQUIRE|CHECK|MESSAGE)\(([a-z_]+)(\.has_value\(\))?, *[^?]*$/)) {
            name = substr(both, RSTART)
            sub(/^[A-Z_]*\(/, "", name)
            sub(/[^a-z_].*/, "", name)
            if (both ~ "\\(" name "(\\.has_value\\(\\))?,[^?]*[^a-z_.]" name "\\.error\\(\\)") print FILENAME ":" FNR ":" name
        }
        last = /,$/ ? $0 : ""
    }' "${sources[@]}")
checked
