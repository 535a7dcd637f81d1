#!/bin/bash
# check.sh FILE [DEFINE…] expect-ok|expect-violation
# Searches all states of a model with spin. The last word says what must come out: nothing found, or a violated promise. Prints
# states, depth and time, and the way to a violation where none was expected. A search that did not come to its end, or that ended
# for another reason than an assertion, is a failure in both cases.
# A search that takes long and has been made stands in searched.txt with the digest of its model; while neither model nor defines change it
# is made with --full alone (DORMOUSE_FULL=1), and has to come to as many states as it says there. MODEL_RECORD=FILE adds its line to FILE.
#   check.sh wake.pml CRASHES=1 expect-ok
#   MODEL_TRAIL=1 check.sh wake.pml HELPER_SKIPPED LATER expect-violation     shows the shortest way to the violation
set -euo pipefail

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
}
[ $# -ge 2 ] || usage
expected=${*: -1}
[[ $expected == expect-ok || $expected == expect-violation ]] || usage
model=$(realpath "$1")
name=$(basename "$model" .pml)
defines=("${@:2:$#-2}")

for tool in spin gcc; do
    if ! command -v "$tool" >/dev/null; then
        echo "SKIPPED: $tool is not installed (apt-get install $tool)"
        exit 77
    fi
done

fail() {
    printf 'FAILED: %s: %s\n' "$name ${defines[*]}" "$1"
    [ $# -lt 2 ] || printf '%s\n' "$2"
    exit 1
}

for define in "${defines[@]}"; do
    grep -qE "^#(ifn?def ${define%%=*}$|(el)?if .*\b${define%%=*}\b)" "$model" || fail "the model knows no ${define%%=*}"
done
# What stands for the outcome: the model, and how it is searched.
digest=$(sed '/^#\|^$/d' "$0" | cat - "$model" | sha256sum | cut -c1-16)
entry="$name ${defines[*]} $expected"
recorded=$(sed -nE "s/^([0-9.e+]+) states, $digest $entry\$/\1/p" "$(dirname "$0")/searched.txt")
if [ -n "$recorded" ] && [ "${DORMOUSE_FULL:-}" = "" ]; then
    echo "SKIPPED: a long search of a model that has not changed since: $recorded states (made again by --full)"
    exit 77
fi

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
options=("${defines[@]/#/-D}")
output=$(spin -a "${options[@]}" "$model" 2>&1) || fail "spin does not take the model" "$output"
[ -f pan.c ] || fail "spin wrote no verifier" "$output"
if grep -qiE 'error' <<<"$output"; then fail "spin complains" "$output"; fi

# All states are kept, none as a hash alone, and nothing is reduced: all variables are shared, so there is nothing to gain. A mistake
# is searched for in breadth, which finds the shortest way; that is soon, so its verifier is compiled in a hurry.
build=(-w -DSAFETY -DNOREDUCE -DMEMLIM=2000)
case $expected in
expect-ok) build+=(-O1) ;;
expect-violation) build+=(-O0 -DBFS) ;;
esac
output=$(gcc "${build[@]}" -o pan pan.c 2>&1) || fail "the verifier does not compile" "$output"

begin=$EPOCHREALTIME
code=0
output=$(timeout 280 ./pan -m2000000 2>&1) || code=$?
elapsed=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
[ "$code" != 124 ] || fail "no end after 280 s" "$output"
errors=$(sed -nE 's/.*errors: ([0-9]+).*/\1/p' <<<"$output" | head -n 1)
states=$(sed -nE 's/^ *([0-9.e+]+) states, stored.*/\1/p' <<<"$output" | head -n 1)
depth=$(sed -nE 's/.*depth reached ([0-9]+).*/\1/p' <<<"$output" | head -n 1)
[ -n "$errors" ] && [ -n "$states" ] || fail "the search broke off" "$output"
printf '%s: %s states, depth %s, %s s\n' "$name ${defines[*]}" "$states" "$depth" "$elapsed"
if [ -n "$recorded" ] && [ "$recorded" != "$states" ]; then fail "searched.txt says $recorded states"; fi
[ -z "${MODEL_RECORD:-}" ] || printf '%s states, %s %s\n' "$states" "$digest" "$entry" >>"$MODEL_RECORD"

trail() {
    spin -t -p -k "$(ls ./*.trail)" "${options[@]}" "$model" 2>&1 | grep -vE '^(Starting|ltl)' | cut -c1-160
}

if [ "$expected" = expect-ok ]; then
    if grep -qE 'Search not completed|max search depth too small|out of memory' <<<"$output" && [ "$errors" = 0 ]; then
        fail "the search was not completed" "$output"
    fi
    [ "$errors" = 0 ] || fail "a promise is broken" "$(grep -E '^pan:' <<<"$output")"$'\n'"$(trail | tail -n 120)"
    echo "ok: no state breaks a promise"
else
    [ "$errors" != 0 ] || fail "a violation was expected, and the search found none" "$output"
    grep -q 'assertion violated' <<<"$output" || fail "it ended, but not by a promise" "$output"
    echo "ok: $(grep -oE 'assertion violated.*' <<<"$output" | head -n 1)"
    [ -z "${MODEL_TRAIL:-}" ] || trail
fi
