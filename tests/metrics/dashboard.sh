#!/bin/bash
# Each query of the dashboard is one that Prometheus takes, about metrics that the program has.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/metrics/lib.sh
source "$here/lib.sh"

mapfile -t queries < <(jq --raw-output '.panels[].targets[].expr' "$root/packaging/grafana/dormouse.json")
[ "${#queries[@]}" -ge 12 ] || die "packaging/grafana/dormouse.json: only ${#queries[@]} queries were found"
{
    printf 'groups:\n  - name: dashboard\n    rules:\n'
    for number in "${!queries[@]}"; do
        # what Grafana fills in
        query=${queries[number]//'$__rate_interval'/5m}
        printf '      - {record: "panel:%d", expr: %s}\n' "$number" "$(jq --null-input --arg query "${query//'$pool'/.+}" '$query')"
    done
} >"$scratch/queries.yml"
promtool check rules "$scratch/queries.yml"
printf '%s\n' "${queries[@]}" | known_names
