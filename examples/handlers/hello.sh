#!/bin/bash
# The payload is on stdin, stdout is the result, stderr the log; 75 is "retry later".
set -euo pipefail
name=$(jq --raw-output .name)
say() { echo "$1" >&"${DORMOUSE_CONTROL_FD:-2}"; }

[ -n "$name" ] || exit 75
say '{"type":"progress","fraction":0.5,"text":"greets"}'
jq --null-input --compact-output --arg name "$name" '{hello: $name}'
