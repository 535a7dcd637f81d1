#!/bin/bash
# The alerts are valid, fire when they are to and not else, and use names that the program has.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/metrics/lib.sh
source "$here/lib.sh"

promtool check rules "$rules"
sed "s#RULES#$rules#" "$here/dormouse.rules.test.yml" >"$scratch/test.yml"
promtool test rules "$scratch/test.yml"
for alert in $(sed -n 's/^ *- alert: //p' "$rules"); do
    grep -q "alertname: $alert\$" "$here/dormouse.rules.test.yml" || die "$rules: $alert has no test in dormouse.rules.test.yml"
    grep -q "^| \`$alert\` |" "$root/docs/metrics.md" || die "docs/metrics.md: $alert is missing in the table of alerts"
done
sed -n '/expr: >-/,/for:\|labels:/p; /expr: /p' "$rules" | known_names
