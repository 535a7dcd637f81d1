#!/bin/bash
# commit.psql: one ring after a COMMIT, none after a failure; without a doorbell the transaction is committed all the same.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
commit=$here/../../clients/psql/commit.psql
fail() { echo "FAILED: $*"; exit 1; }
equal() { [ "$2" = "$3" ] || fail "$1: saw '$2', wanted '$3'"; echo "ok: $1: $2"; }
runs() { psql --no-psqlrc -qAt --command='SELECT count(*) FROM dormouse.runs'; }

coproc bell { /usr/bin/python3 "$here/bell.py" default; }
# shellcheck disable=SC2154 # coproc sets bell
read -r line <&"${bell[0]}"
equal "the doorbell" "$line" listens
rings() { echo >&"${bell[1]}"; read -r line <&"${bell[0]}"; echo "$line"; }
transaction() { # transaction SQL [SETTING]: prints :rung
    psql --no-psqlrc -qAt --output=/dev/null 2>/dev/null <<PSQL
${2:-}
BEGIN;
$1
\\i $commit
\\o
\\echo :rung
PSQL
}
equal "a COMMIT says that it rang" "$(transaction "SELECT dormouse.enqueue('work');")" true
equal "runs" "$(runs)" 1
equal "rings" "$(rings)" 1
equal "a failed transaction" "$(transaction "SELECT dormouse.enqueue('work'); SELECT 1/0;")" false
deferred="CREATE TEMPORARY TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1), (1);"
equal "a COMMIT that fails" "$(transaction "SELECT dormouse.enqueue('work'); $deferred")" false
equal "runs, still" "$(runs)" 1
equal "rings, no more" "$(rings)" 0
equal "without a doorbell" "$(transaction "SELECT dormouse.enqueue('work');" '\set pool missing')" false
equal "runs of a producer without a doorbell" "$(runs)" 2
