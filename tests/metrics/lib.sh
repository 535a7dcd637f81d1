# shellcheck shell=bash
# Sourced by the tests beside it.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034
rules=$root/packaging/prometheus/dormouse.rules.yml
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

command -v promtool >/dev/null || {
    printf 'skipped: there is no promtool (package prometheus)\n'
    exit 77
}

# Of the queries on stdin every metric is in the table of docs/metrics.md, which a test compares with the program's.
known_names() {
    local name found=0
    for name in $(grep -oE '\bdormouse_[a-z_]+' | sort -u); do
        found=$((found + 1))
        grep -q "^| \`${name%_bucket}\` |" "$root/docs/metrics.md" || die "$name: the program has no such metric (docs/metrics.md)"
    done
    [ "$found" -gt 0 ] || die "no name of a metric was found"
    printf '%d names are known\n' "$found"
}
