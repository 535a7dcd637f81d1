#!/bin/bash
# systemctl restart under load: the socket stays open and refuses nobody; runs that end within the grace are attempted once, those that
# do not are handed back, uncounted, and completed by the next worker; the journal tells the truth about each end. Which run was at
# work is told by the marks that handlers leave outside the database: what was only claimed has left none.
source "$(dirname "$0")/../lib.sh"
pool=leave
service=dormouse@$pool.service
need_worker
use_pool $pool
new_database $pool
marks=/run/dormouse/$pool/marks
task() { # task NAME SECONDS
    cat <<TOML
[task.$1]
command = ["/bin/sh", "-c", 'echo start \$DORMOUSE_RUN_ID \$DORMOUSE_FENCE >>$marks; sleep $2; echo end \$DORMOUSE_RUN_ID \$DORMOUSE_FENCE >>$marks']
TOML
}
configure $pool <<TOML
idle_exit = "2s"
look_exit = "2s"
concurrency = 8
shutdown_grace = "1s"
$(task short 0.3)
$(task long 2)
TOML
books=$(mktemp -d)
at_end "rm -rf $books"
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
socket_since=$(property dormouse@$pool.socket ActiveEnterTimestampMonotonic)
ends() { sql "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'"; }
touch $marks
chown dormouse: $marks
# Of those that are at work now: run and fence.
at_work() { awk '{ one = $2 " " $3 } $1 == "start" { open[one] } $1 == "end" { delete open[one] } END { for (one in open) print one }' $marks; }
someone_is_at_work() { [ "$(at_work | wc -l)" -ge 4 ]; }
rounds=3 refused=0
for ((i = 0; i < rounds; i++)); do
    sql "SELECT count(dormouse.enqueue(CASE n % 8 WHEN 0 THEN 'long' ELSE 'short' END)) FROM generate_series(1, 24) n" >/dev/null
    ring $pool || refused=$((refused + 1))
    wait_for 20 someone_is_at_work
    at_work >>"$books/caught"
    systemctl restart --no-block $service
    for ((j = 0; j < 50; j++)); do ring $pool || refused=$((refused + 1)); done
done
wait_for 120 all_completed
wait_for 60 asleep $pool
equal "rings refused" "$refused" 0
equal "the socket stayed open" "$(property dormouse@$pool.socket ActiveEnterTimestampMonotonic)" "$socket_since"
equal "runs" "$(ends)" $((rounds * 24))
equal "attempts used up by each" "$(sql "SELECT string_agg(DISTINCT attempts::text, ' ') FROM dormouse.runs")" 1
equal "outcomes" "$(sql "SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM dormouse.attempts")" "completed handed_back"

sql "SELECT concat_ws(' ', run_id, fence || ':' || worker, outcome) FROM dormouse.attempts" >"$books/attempts"
account=$(awk '
    FILENAME ~ /attempts$/ { outcome[$1 " " $2] = $3; next }
    FILENAME ~ /caught$/ { caught[$0]; next }
    { one = $2 " " $3 }
    $1 == "start" { starts[one]++; of_run[$2]++; if ($2 in over) again++ }
    $1 == "end" { ends[one]++; over[$2] }
    END {
        for (one in starts) {
            twice += starts[one] > 1
            if (one in ends) { wrong += outcome[one] != "completed" } else { stopped++; wrong += outcome[one] != "handed_back" }
        }
        for (one in outcome) if (!(one in starts)) { claimed++; wrong += outcome[one] != "handed_back" }
        for (one in caught) if (one in ends) { split(one, part, " "); within++; wrong += of_run[part[1]] != 1 }
        print within + 0, stopped + 0, claimed + 0, again + 0, twice + 0, wrong + 0
    }' "$books/attempts" "$books/caught" $marks)
read -r within stopped claimed again twice wrong <<<"$account"
say "at work when told to leave and ended within the grace: $within; stopped after it: $stopped; claimed and not started: $claimed"
holds "some ended within the grace" [ "$within" -gt 0 ]
holds "some were stopped" [ "$stopped" -gt 0 ]
equal "runs that were started again after they had ended" "$again" 0
equal "claims that were started twice" "$twice" 0
equal "attempts recorded otherwise than the marks say" "$wrong" 0

stopped_graceful() { journalctl --quiet --no-pager --unit=$service --since="$case_began" --output=json | grep -c "\"DORMOUSE_GRACEFUL\":\"$1\"" || true; }
equal "ends that were not graceful" "$(stopped_graceful false)" 0
equal "graceful ends, and all that were told" "$(stopped_graceful true)" "$(then=$case_began said $pool worker_pool_stopped)"
holds "one for each restart at least" [ "$(stopped_graceful true)" -gt $rounds ]
