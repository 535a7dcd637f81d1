#!/bin/bash
# skipped.sh BUILD_DIRECTORY: what the last run of ctest there skipped, and why, by the tests' own words: a line that begins
# with SKIPPED: (exit 77), or what Boost.Test prints for a suite whose precondition does not hold.
set -euo pipefail

log=$1/Testing/Temporary/LastTest.log
[ -f "$log" ] || exit 0
sed "s/$(printf '\033')\\[[0-9;]*m//g" "$log" | awk '
    /^[0-9]+\/[0-9]+ Testing: / { test = $3 }
    /^SKIPPED: / { note(test, substr($0, 10)) }
    /is skipped because/ && !/is skipped because disabled/ { # disabled: of another suite
        if (match($0, /Test (case|suite|unit|module) "[^"]+"/)) name = substr($0, RSTART, RLENGTH); else name = test
        gsub(/^Test [a-z]+ |"/, "", name)
        reason = $0
        sub(/.*is skipped because /, "", reason)
        note(test " (" name ")", reason)
    }
    function note(who, reason) {
        if ((who, reason) in seen) return
        seen[who, reason] = 1
        if (!(reason in count)) order[++reasons] = reason
        count[reason]++
        names[reason] = names[reason] (names[reason] == "" ? "" : ", ") who
    }
    END {
        if (!reasons) { print "nothing was skipped"; exit }
        for (i = 1; i <= reasons; i++) printf "skipped %d, because %s: %s\n", count[order[i]], order[i], names[order[i]]
    }'
