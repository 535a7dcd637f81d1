#!/bin/bash
# ./dev bench [NAME [OPTION…] | list]
# Without a name: peers, producers, claims, snapshot and retention one after the other, about an hour and a half, and a table of what was aimed at
# and what was seen. NAME runs bench/NAME/run.sh with the options; `list` says what there is, `aims` makes that table again from what was
# measured. Benchmarks print their figures beside the aim and assert nothing; only peers, whose short form is a test, asserts that nothing is
# missing. Figures count on a machine that does nothing else.
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
aims() { python3 "$root/bench/aims.py" "$root/build/bench"; }

name=${1:-all}
[ $# = 0 ] || shift
case $name in
list)
    say "./dev bench NAME, where NAME is one of:"
    list
    ;;
aims) aims ;;
all)
    "$root/scripts/setup.sh"
    for each in peers producers claims snapshot retention; do "$root/bench/$each/run.sh" || say "FAILED: bench $each"; done
    aims
    ;;
*)
    if [ -x "$root/bench/$name/run.sh" ]; then exec "$root/bench/$name/run.sh" "$@"; fi
    printf './dev bench: there is no benchmark %s; there are:\n' "$name" >&2
    list >&2
    exit 2
    ;;
esac
