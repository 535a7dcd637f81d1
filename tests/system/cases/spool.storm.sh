#!/bin/bash
# 3,000 spooled files (with --full 10,000), one in a hundred a bad one, and a worker that is killed at random moments: each good one becomes exactly one run,
# each bad one is put aside once. DORMOUSE_SPOOL_FILES and DORMOUSE_SPOOL_KILLS for other numbers.
source "$(dirname "$0")/../lib.sh"
pool="spool-storm"
if [ -n "${DORMOUSE_FULL:-}" ]; then many=10000 often=20; else many=3000 often=8; fi
files=${DORMOUSE_SPOOL_FILES:-$many}
bad=$((files / 100))
most_kills=${DORMOUSE_SPOOL_KILLS:-$often}
use_pool $pool
need_worker
new_database $pool
configure $pool <<TOML
$short
[limits]
payload_bytes = "64KiB"
TOML
# Tasks that nobody here serves would fail; these are put off for a year, since it is the import that counts.
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
spool=/var/spool/dormouse/$pool
/usr/bin/python3 "$(dirname "$0")/../spool_storm.py" $spool "$files" "$bad" &
writer=$!
kills=0
while kill -0 $writer 2>/dev/null || ! spool_is_empty; do
    # a random moment of its work; without the pause before a connect that thins out a crash loop
    rm -f /run/dormouse/$pool.failures
    has_session && kill_worker $pool 2>/dev/null && kills=$((kills + 1))
    sleep "0.0$((RANDOM % 10))"
    [ "$kills" -lt "$most_kills" ] || break
done
wait $writer
rm -f /run/dormouse/$pool.failures
wait_for 120 spool_is_empty
wait_for 60 asleep $pool
equal "runs" "$(sql "SELECT count(*) FROM dormouse.runs")" $((files - bad))
equal "different ones" "$(sql "SELECT count(DISTINCT payload ->> 'n') FROM dormouse.runs")" $((files - bad))
equal "put aside" "$(find $spool.rejected -name 'bad-*.json' | wc -l)" "$bad"
equal "reasons" "$(find $spool.rejected -name '*.reason' | wc -l)" "$bad"
equal "path unit" "$(property dormouse@$pool.path ActiveState)" active
# As systemd saw them die: a worker may be hit twice before it is gone.
deaths=$(deaths)
say "workers killed: $deaths"
holds "at least 5 of them" [ "$deaths" -ge 5 ]
