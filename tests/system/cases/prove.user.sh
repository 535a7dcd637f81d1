#!/bin/bash
# dormouse prove as an ordinary user: behind their own systemd with a login that has a password and may create databases and nothing
# else; and where no systemd runs for them, with a login that may not: then the server is a private one, which is hurt too.
source "$(dirname "$0")/../lib.sh"
if [ -z "${DORMOUSE_FULL:-}" ]; then
    say "SKIPPED: takes a minute and more: ./dev test --full"
    exit 77
fi
need_worker
# shellcheck source=../prove.sh
source "$(dirname "$0")/../prove.sh"
useradd --create-home prover 2>/dev/null || true
database=postgres
# The one login of this server that has to give its password.
sql "DROP ROLE IF EXISTS password_needed, guest" 2>/dev/null
sql "CREATE ROLE password_needed LOGIN CREATEDB PASSWORD 'a:secret'"
sql "CREATE ROLE guest LOGIN"
at_end "sql 'DROP ROLE password_needed, guest'"

systemctl start "user@$(id -u prover)"
prove prover DATABASE_URL=postgresql://password_needed:a%3Asecret@127.0.0.1/postgres --seed 1 --duration 1s
well_accounted user
sleeps_well user
holds "no password is said" not grep -q secret "$out/said" "$out/report"
equal "whose systemd" "$(report "r['systemd']")" user
nothing_is_left user prover
systemctl stop "user@$(id -u prover)"
# Ten seconds later logind removes what this user still has in shared memory (RemoveIPC=): no Postgres of theirs may run by then.
wait_for 60 state_is "user-runtime-dir@$(id -u prover).service" inactive

prove prover --database-url postgresql://guest@127.0.0.1/postgres --seed 1 --duration 1s
well_accounted "without systemd"
holds "it says that it proves the host alone" says 'It proves this host, not your server'
equal "without systemd: what was done" "$(done_kinds)" "crash_postgres end_sessions freeze_worker kill_handler kill_worker"
equal "without systemd: what was not" "$(report "' '.join(sorted(r['skipped']))")" "lose_ring network restart_unit sleep stop_unit"
equal "without systemd: nothing is said about sleep" "$(report "r['asleep']")" None
nothing_is_left "without systemd"
well=yes # nothing more to show
