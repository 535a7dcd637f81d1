#!/bin/bash
# dormouse prove as root, behind the system's manager, in a database of its own: each violence is done, all is accounted for, and nothing is left;
# so too when it is interrupted. The same seed is the same plan, and a plan alone makes nothing.
source "$(dirname "$0")/../lib.sh"
need_worker
# shellcheck source=../prove.sh
source "$(dirname "$0")/../prove.sh"
url="postgresql://postgres@127.0.0.1/postgres"

steps() { report "r['steps']"; }
prove root --database-url "$url" --dry-run --seed 7
equal "a plan: exit code" "$code" 0
holds "a plan says which server" says "dormouse_prove_.* is created there and dropped at the end"
first=$(steps)
prove root --database-url "$url" --dry-run --seed 7
equal "the same seed" "$(steps)" "$first"
prove root --database-url "$url" --dry-run --seed 8
holds "another seed" not [ "$(steps)" = "$first" ]
nothing_is_left "a plan"

# As in docs/guarantees.md, where this is typed: without a server it is the one of this machine, as the account that it lets in.
holds "the page says how" grep -qx 'sudo dormouse prove' "$(dirname "$0")/../../../docs/guarantees.md"
prove root PGHOST="$PGHOST" --seed 3 --duration 1s
holds "as the server's account" says 'handlers are /bin/sh as postgres'
well_accounted root
sleeps_well root
equal "what was done" "$(done_kinds)" "end_sessions freeze_worker kill_handler kill_worker lose_ring restart_unit stop_unit"
equal "late endings were tried, and refused" "$(report "r['late_endings_refused'] > 0")" True
equal "what was not" "$(report "' '.join(sorted(r['skipped']))")" "crash_postgres network"
nothing_is_left root

# Ctrl-C, as in a terminal: for all of its group.
: >"$out/said"
(cd /tmp && exec setsid dormouse prove --database-url "$url" >>"$out/said" 2>&1 </dev/null) &
job=$!
wait_for 60 says 'a run began'
equal "meanwhile: databases" "$(databases)" 1
group=$(pgrep --full --oldest 'lib/dormouse/dormouse-prove')
kill -INT -- "-$group"
code=0
wait $job || code=$?
equal "interrupted: exit code" "$code" 130
nothing_is_left interrupted

# A server that is named and not there is an error, not a private one in its place.
prove root --database-url postgresql://postgres@127.0.0.1:1/postgres
equal "nobody there: exit code" "$code" 6
nothing_is_left "nobody there"
well=yes # nothing more to show
