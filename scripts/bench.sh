#!/bin/bash
# ./dev bench [NAME [OPTION…] | list | aims | gate] [--record]
# Without a name: peers, producers, claims, snapshot, retention and scale one after the other, some two hours, and a table of what was aimed at
# and what was seen. NAME runs bench/NAME/run.sh with the options; `list` says what there is, `aims` makes that table again from what was
# measured. Benchmarks print their figures beside the aim and assert nothing; only peers, whose short form is a test, asserts that nothing is
# missing. Figures count on a machine that does nothing else. --record appends the ratios to bench/history when all is measured; `gate` fails if the
# last one of a bench is more than 15 % worse than the median of those before it on the same machine.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

# NAME, and the first comment line of its script.
list() {
    local script name
    for script in "$root"/bench/*/run.sh; do
        [ -x "$script" ] || continue
        name=${script#"$root/bench/"}
        printf '  %-12s %s\n' "${name%/run.sh}" "$(sed -n '2{s/^# \{0,1\}//p}' "$script")"
    done
}
export PYTHONDONTWRITEBYTECODE=1
aims() { python3 "$root/bench/aims.py" "$root/build/bench"; }
keep() { [ "$record" = no ] || python3 "$root/bench/history.py" record "$root/build/bench" "$root/bench/history"; }

record=no
arguments=()
for one in "$@"; do
    if [ "$one" = --record ]; then record=yes; else arguments+=("$one"); fi
done
set -- "${arguments[@]}"
name=${1:-all}
[ $# = 0 ] || shift
case $name in
list)
    say "./dev bench NAME, where NAME is one of:"
    list
    ;;
aims)
    aims
    keep
    ;;
gate) python3 "$root/bench/history.py" gate "$root/bench/history" ;;
all)
    "$root/scripts/setup.sh"
    for each in peers producers claims snapshot retention scale; do "$root/bench/$each/run.sh" || say "FAILED: bench $each"; done
    aims
    keep
    ;;
*)
    if [ -x "$root/bench/$name/run.sh" ]; then
        "$root/bench/$name/run.sh" "$@"
        keep
        exit
    fi
    printf './dev bench: there is no benchmark %s; there are:\n' "$name" >&2
    list >&2
    exit 2
    ;;
esac
