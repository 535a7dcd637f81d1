#!/bin/bash
# What dormouse prove must find, broken on purpose while it is at work: a row that is deleted underneath, a handler that ran twice under one
# claim, a session that stays while the pool should sleep. It ends with 1, says what and where, and keeps the log.
source "$(dirname "$0")/../lib.sh"
need_worker
# shellcheck source=../prove.sh
source "$(dirname "$0")/../prove.sh"
url="postgresql://postgres@127.0.0.1/postgres"

its_database() { database=postgres sql "SELECT datname FROM pg_database WHERE datname LIKE 'dormouse_prove_%'"; }
ledger() { compgen -G '/tmp/dormouse-prove.*/ledger'; }
one_has_ended() { local file; file=$(ledger) && grep -q '^end' "$file"; }
a_row_is_there() { [ "$(database=$(its_database) sql "SELECT count(*) > 0 FROM dormouse.runs WHERE status = 'completed'" 2>/dev/null)" = t ]; }
delete_a_row() {
    wait_for 60 a_row_is_there
    database=$(its_database) sql "DELETE FROM dormouse.runs WHERE id = (SELECT id FROM dormouse.runs WHERE status = 'completed' LIMIT 1) RETURNING id"
}
double_an_end() {
    wait_for 60 one_has_ended
    grep '^end' "$(ledger)" | head -n 1 | tee -a "$(ledger)" | cut -f 2
}
stay() { # until it is thrown out
    wait_for 120 says 'all runs have ended'
    database=$(its_database) sql "SELECT pg_sleep(120)" >/dev/null 2>&1 || true
    its_database
}
prove_and_harm() {
    local harm jobs=()
    : >"$out/said"
    for harm in delete_a_row double_an_end stay; do
        $harm >"$out/$harm" &
        jobs+=($!)
    done
    prove root --database-url "$url" --seed 2 --duration 1s
    wait "${jobs[@]}"
}
finds() { # finds HARM FINDING: one finding that begins so and names what the harm printed
    equal "$1: found" "$(report "[one.startswith('$2') and '$(cat "$out/$1")' in one for one in r['findings']].count(True)")" 1
    holds "$1: it is said as a line" says "^FOUND: $2"
}
prove_and_harm
equal "exit code" "$code" 1
equal "proven" "$(report "r['proven']")" False
finds delete_a_row "lost: run "
finds double_an_end "doubled: run "
finds stay "asleep: 1 session"
equal "nothing else" "$(report "len(r['findings'])")" 3
holds "the log is named" says "NOT proven; the pool's log and the ledger are in $(report "r['log']")"
holds "what the pool said is kept" grep -q run_completed "$(report "r['log']")"
holds "so is the ledger" grep -qE "^end.$(cat "$out/double_an_end")" "$(report "r['log']")"
rm "$(report "r['log']")"
nothing_is_left "found"
well=yes # nothing more to show
