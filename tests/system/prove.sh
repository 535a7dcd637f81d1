# Sourced by the cases of `dormouse prove`, after lib.sh: runs it as somebody, and looks for what it left.
# shellcheck shell=bash disable=SC2154

out=$(mktemp -d)
chmod 777 "$out"
# shellcheck disable=SC2317 # called at the end
prove_end() {
    if [ "${well:-}" != yes ]; then cat "$out/said" "$out/report" 2>/dev/null; fi
    rm -rf "$out"
}
at_end prove_end

# as_somebody USER COMMAND …: with nothing of this shell's environment, from a directory anybody may be in.
as_somebody() {
    local who=$1 environment=(HOME=/tmp LANG=C.UTF-8 PATH="$PATH")
    shift
    if [ "$who" != root ]; then environment+=(XDG_RUNTIME_DIR="/run/user/$(id -u "$who")"); fi
    (cd /tmp && exec runuser -u "$who" -- env -i "${environment[@]}" "$@")
}
# prove USER [VARIABLE=VALUE…] [OPTION…]: what it says goes to $out/said, its document to $out/report, and its exit code to $code.
prove() {
    local who=$1 variables=()
    shift
    while [[ ${1:-} =~ ^[A-Z_]+= ]]; do
        variables+=("$1")
        shift
    done
    code=0
    as_somebody "$who" env "${variables[@]}" dormouse prove --json "$@" >"$out/report" 2>"$out/said" </dev/null || code=$?
}
report() { python3 -c "import json; r = json.load(open('$out/report')); print($1)"; }
says() { grep -q -- "$1" "$out/said"; }
databases() { database=postgres sql "SELECT count(*) FROM pg_database WHERE datname LIKE 'dormouse_prove%'"; }
nothing_is_left() { # nothing_is_left WHAT [USER]
    equal "$1: databases" "$(databases)" 0
    equal "$1: directories" "$(find /tmp -maxdepth 1 -name 'dormouse-prove.*' | wc -l)" 0
    equal "$1: processes" "$(pgrep --full --count 'dormouse worker prove|/tmp/dormouse-prove' || true)" 0
    equal "$1: units" "$(systemctl list-units --all --plain --no-legend '*prove-*' | wc -l)" 0
    [ -z "${2:-}" ] || equal "$1: the user's units" "$(as_somebody "$2" systemctl --user list-units --all --plain --no-legend '*prove-*' | wc -l)" 0
}
# done_kinds: what was done to it, each once, sorted.
done_kinds() { report "' '.join(sorted({step['kind'] for step in r['steps']}))"; }
well_accounted() { # well_accounted WHAT
    equal "$1: exit code" "$code" 0
    equal "$1: proven" "$(report "r['proven']")" True
    equal "$1: lost, doubled, stuck" "$(report "r['account']['lost'], r['account']['doubled'], r['account']['stuck']")" "0 0 0"
    equal "$1: as many completed as enqueued, and some" "$(report "r['account']['completed'] == r['account']['enqueued'] > 8")" True
    equal "$1: findings" "$(report "r['findings']")" "[]"
}
sleeps_well() { # sleeps_well WHAT
    equal "$1: asleep" "$(report "r['asleep']['processes'], r['asleep']['sessions'], r['asleep']['sessions_made']")" "0 0 0"
    equal "$1: left" "$(report "sum(r['left'].values())")" 0
}
