#!/bin/bash
# ./dev test [--full] [--sanitizers] [--postgres BINDIR] [OPTION OF ctest…]
# Sets up, builds the preset dev, checks the style and runs all tests: unit, postgres (on private servers) and system (in a
# systemd booted in a container, which takes root; elsewhere these are skipped, with the reason). What was skipped stands
# above ctest's own summary, which comes last. Without --full a test that fails is run once more: several run beside each other, and a
# machine may be too busy for the times that one of them means. What passed only then is named; it deserves a look.
#   --full            all tests, those of tests/long.txt too, in their long variants (DORMOUSE_FULL=1; an hour of ordinary life is one), the packages in a clean Debian,
#                     clang-tidy, unit and postgres tests and the short chaos once more under address and undefined behaviour
#                     sanitizers, and what has threads under the thread sanitizer
#   --sanitizers      of that what is under sanitizers alone, in the short variants (with --full too: in the long ones)
#   --postgres BINDIR the postgres tests alone, on servers of another version: BINDIR has initdb and postgres (what is not there is skipped by
#                     name). 14 to 18 are stated; Debian 12 has 15, Debian 13 has 17
#   -R REGEX, -L …    are ctest's, for instance: ./dev test -R unit.config; with one of them tests/long.txt counts for nothing
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

full=no
sanitizers=no # these alone
options=()
while [ "$#" -gt 0 ]; do
    case $1 in
    --full) full=yes ;;
    --sanitizers) sanitizers=yes ;;
    --postgres)
        if [ ! -x "${2:-}/initdb" ] || [ ! -x "$2/postgres" ]; then die "test: --postgres: there is no initdb and postgres in \"${2:-}\""; fi
        DORMOUSE_POSTGRES=$(realpath "$2")
        export DORMOUSE_POSTGRES
        options+=(--label-regex '^postgres$')
        say "postgres tests on $("$2/postgres" --version)"
        shift
        ;;
    *) options+=("$1") ;;
    esac
    shift
done
if [ "$full" = yes ]; then export DORMOUSE_FULL=1; fi
export BOOST_TEST_COLOR_OUTPUT=no # logs are read in files
failed=()
if [ "$full" = yes ]; then tries=1; else tries=2; fi
short=() # ctest's option that leaves out what takes long
if [ "$full" = no ] && [ "${#options[@]}" = 0 ]; then short=(--exclude-regex "^($(grep -v '^#' "$root/tests/long.txt" | paste -sd '|' | sed 's/\./\\./g'))\$"); fi
held=$(mktemp) # ctest's summary, until the rest has been said
trap 'rm -f "$held"' EXIT

# Everything up to ctest's summary passes, the summary is held back.
hold_summary() {
    local line test summary=no
    local -A at_first=()
    while IFS= read -r line; do # and not awk, which reads ahead
        if [[ $line =~ ^[0-9]+%\ tests\ passed ]]; then
            summary=yes
            for test in "${!at_first[@]}"; do say "LOOK AT $test: it failed at its first try"; done
        fi
        if [[ $line != *"***Skipped"* && $line =~ Test\ +#[0-9]+:\ ([^ ]+)\ .*\*\*\* ]]; then at_first[${BASH_REMATCH[1]}]=1; fi
        if [ "$summary" = yes ]; then printf '%s\n' "$line" >>"$held"; else printf '%s\n' "$line"; fi
    done
}

# run_ctest PRESET [OPTION…]
run_ctest() {
    local preset=$1
    shift
    : >"$held"
    # the cases of each of the four containers go one after the other, most of them waiting; more at once only makes each slower
    ctest --test-dir "$root/build/$preset" --parallel "${DORMOUSE_JOBS:-$((3 + $(nproc)))}" --repeat "until-pass:$tries" --output-on-failure \
        --no-tests=error "$@" 2>&1 |
        hold_summary || failed+=("tests of preset $preset")
    "$root/scripts/skipped.sh" "$root/build/$preset"
    if [ ! -s "$held" ]; then failed+=("ctest of preset $preset, which came to no end"); fi
}

# Functions, embed::Host, what reads a spool, and the log. Without handlers that are processes: the sanitizer takes a clone() that shares memory
# for a fork, and is blind and deaf in the parent from then on; so of spool_disk those cases that execute nothing. Without a case that is about
# how fast they are.
threads_under_sanitizer() {
    step "what has threads, under the thread sanitizer"
    "$root/scripts/build.sh" tsan unit_tests postgres_tests
    "$root/build/tsan/tests/unit_tests" --run_test='in_process*,background*,log_output*' ||
        failed+=("in_process, background and log_output under the thread sanitizer")
    "$root/build/tsan/tests/postgres_tests" --run_test='embed*' --run_test='!embed/exec_tasks_and_functions_share_a_pool' \
        --run_test='!embed_pace' --run_test='spool_disk/whoever_is_told_to_leave*,what_is_written_in_vain*' ||
        failed+=("embed and spool_disk under the thread sanitizer")
}

begin=$EPOCHREALTIME
step() { say "--- $1 (after $(printf '%.0f' "$(seconds_since "$begin")") s)"; }

under_sanitizers() {
    step "unit and postgres tests and the short chaos under sanitizers"
    "$root/scripts/build.sh" asan
    run_ctest asan --no-tests=ignore --label-regex '^(unit|postgres|chaos)$' "${options[@]}"
    cat "$held"
    if [ "${#options[@]}" = 0 ]; then threads_under_sanitizer; fi
}
finish() {
    for one in "${failed[@]}"; do say "FAILED: $one"; done
    step "summary"
    cat "$held"
    [ "${#failed[@]}" = 0 ] || exit 1
    exit 0
}

"$root/scripts/setup.sh"
if [ "$sanitizers" = yes ]; then
    under_sanitizers
    finish
fi
step "build"
"$root/scripts/build.sh" dev
step "style"
if [ "$full" = yes ]; then style=(--full); else style=(); fi
"$root/scripts/check.sh" "${style[@]}" || failed+=("style checks, see above")
if [ "$full" = yes ]; then under_sanitizers; fi
step "tests"
if [ "${#short[@]}" != 0 ]; then # before the tests: it writes over their log
    known=$(ctest --test-dir "$root/build/dev" --show-only=json-v1 | python3 -c 'import json, sys; [print(test["name"]) for test in json.load(sys.stdin)["tests"]]')
    unknown=$(grep -v '^#' "$root/tests/long.txt" | grep -vxF "$known" || true)
    [ -z "$unknown" ] || failed+=("tests/long.txt, which names no test: ${unknown//$'\n'/, }")
fi
run_ctest dev "${options[@]}" "${short[@]}"
if [ "${#short[@]}" != 0 ]; then
    say "not run without --full: $(grep -vc '^#' "$root/tests/long.txt") tests that take long (tests/long.txt)"
fi
if [ "$full" = no ]; then say "not run without --full: long variants of tests, packages, clang-tidy, tests under sanitizers"; fi
finish
