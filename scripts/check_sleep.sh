#!/bin/bash
# Tests wait for events with a deadline, never for a time to pass. A pause of less than 0.1 s between two looks at something
# that tells nobody is fine; where the time itself is what is tested, a comment on the line says so.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

remedy="a test that waits for time to pass; wait for the event with a deadline, or say in a comment on this line why the time itself is meant"
check() { # check REGEX FILE…
    local regex=$1 hit
    shift
    [ $# -gt 0 ] || return 0
    while IFS= read -r hit; do
        finding "$(cut -d: -f1,2 <<<"$hit")" "$remedy"
    done < <(cd "$root" || exit; grep -nHE -e "$regex" -- "$@" | grep -vE '(//|[[:space:]]#) [^ ]|[Mm]illis(econds)?[({][0-9]{1,2}[)}]' || true)
}
mapfile -t sources < <(tree_files 'tests/*.cpp' 'tests/*.h')
check '(sleep_for|sleep_until|usleep|nanosleep)[[:space:]]*\(' "${sources[@]}"
# in shell and Python: what the test itself does, not what a child under test is told to do inside quotes
mapfile -t scripts < <(tree_files 'tests/*.sh' 'tests/*.py')
check '^([^"'"'"'#]*[[:space:];&|(])?(time\.)?sleep[[:space:](]+("?\$|[1-9]|0?\.[1-9])' "${scripts[@]}"
checked
