#!/bin/bash
# ./dev bench [NAME [OPTION…]]
# Runs bench/NAME.sh or bench/NAME/run.sh, with the options; without a name lists what there is. Benchmarks print their
# figures beside the aim and assert nothing; only peers, whose short form is a test, asserts that nothing is missing.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

# NAME, and the first comment line of its script.
list() {
    local script name
    for script in "$root"/bench/*.sh "$root"/bench/*/run.sh; do
        [ -x "$script" ] || continue
        name=${script#"$root/bench/"}
        name=${name%/run.sh}
        printf '  %-12s %s\n' "${name%.sh}" "$(sed -n '2{s/^# \{0,1\}//p}' "$script")"
    done
}

if [ $# = 0 ]; then
    say "./dev bench NAME, where NAME is one of:"
    list
    exit 0
fi
name=$1
shift
for script in "$root/bench/$name.sh" "$root/bench/$name/run.sh"; do
    [ -x "$script" ] && exec "$script" "$@"
done
printf './dev bench: there is no benchmark %s; there are:\n' "$name" >&2
list >&2
exit 2
