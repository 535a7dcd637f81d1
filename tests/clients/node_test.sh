#!/bin/bash
# node_test.sh TEST.js [ARGUMENT]: a test of the Node client, where there is a Node 18 or later. Drivers are found in NODE_PATH.
set -euo pipefail
if ! command -v node >/dev/null || [ "$(node -p 'parseInt(process.versions.node)')" -lt 18 ]; then
    echo "SKIPPED: the Node client: there is no node 18 or later (Debian package nodejs)"
    exit 77
fi
exec node --test-reporter=spec "$(dirname "$0")/$1" "${@:2}"
