#!/bin/bash
# A reload after an upgrade: the program on disk is another file by now. The new one takes over beside the worker that finishes what it has,
# as the unit's main process: new runs start at once, the doorbell refuses nobody, the slots of both are counted together, nothing is lost
# and no attempt is made twice. What goes wrong with the new program changes nothing.
source "$(dirname "$0")/../lib.sh"
pool=upgrade
service=dormouse@$pool.service
need_worker
use_pool $pool
new_database $pool
dir=/run/dormouse/$pool
cp -p /usr/bin/dormouse /usr/bin/dormouse.kept
at_end 'mv -f /usr/bin/dormouse.kept /usr/bin/dormouse'
configure $pool <<TOML
idle_exit = "3s"
look_exit = "3s"
concurrency = 3
shutdown_grace = "20s"
[metrics]
textfile = "$dir/metrics.prom"
[task.held]
command = ["/bin/sh", "-c", 'until [ -e $dir/go.\$DORMOUSE_RUN_ID ]; do sleep 0.1; done; echo "\"\$DORMOUSE_ATTEMPT\""'] # sleep: waits for a file
[task.quick]
command = ["/bin/echo", "1"]
TOML
main() { property $service MainPID; }
upgrade() { # another file in its place, as dpkg and rpm do it
    cp /usr/bin/dormouse.kept /usr/bin/dormouse.new
    mv -f /usr/bin/dormouse.new /usr/bin/dormouse
}
is_running() { [ "$(status_of "$1")" = running ]; }
is_completed() { [ "$(status_of "$1")" = completed ]; }
let_go() { runuser -u dormouse -- touch "$dir/go.$1"; }
other_main() { [ "$(main)" != "$before" ] && [ "$(main)" != 0 ]; }
take_over() {
    before=$(main)
    upgrade
    systemctl reload $service
    wait_for 30 other_main
}

awake_since=$(date +%s)
systemctl start dormouse@$pool.target
first=$(enqueue held)
second=$(enqueue held)
ring $pool
wait_for 20 is_running "$first"
wait_for 20 is_running "$second"

say "--- a new program beside two runs that are at work, with three slots"
take_over
old=$before
holds "the old process is there" kill -0 "$old"
equal "the unit" "$(property $service ActiveState) $(property $service SubState)" "active running"
quick=$(enqueue quick)
ring $pool
wait_for 10 is_completed "$quick"
equal "those at work" "$(status_of "$first") $(status_of "$second")" "running running"
third=$(enqueue held)
fourth=$(enqueue held)
ring $pool
wait_for 10 is_running "$third"
quick=$(enqueue quick)
ring $pool
sleep 2 # that nothing happens takes time: the fourth has no slot, and what comes after it neither
equal "with every slot taken" "$(status_of "$fourth") $(status_of "$quick")" "queued queued"
let_go "$first"
wait_for 20 is_completed "$first"
wait_for 20 is_running "$fourth"
let_go "$fourth"
wait_for 20 is_completed "$quick"
holds "the old process finishes the second" kill -0 "$old"

say "--- and another one beside that"
take_over
holds "the first process is still there" kill -0 "$old"
quick=$(enqueue quick)
ring $pool
wait_for 10 is_completed "$quick"
let_go "$second"
let_go "$third"
wait_for 20 is_completed "$second"
wait_for 20 is_completed "$third"
gone() { ! kill -0 "$1" 2>/dev/null; }
wait_for 20 gone "$old"
wait_for 30 asleep $pool
equal "attempts" "$(sql "SELECT string_agg(DISTINCT outcome, ' '), count(*) FILTER (WHERE outcome <> 'handed_back') FROM dormouse.attempts")" "completed|7"
equal "completed in all three, by the metrics" "$(awk '/^dormouse_runs_completed_total/ { n += $2 } END { print n }' $dir/metrics.prom)" 7
awake_at_most=$(($(date +%s) - awake_since))
awake=$(awk '/^dormouse_awake_seconds_total/ { print int($2) }' $dir/metrics.prom)
holds "awake for $awake s in $awake_at_most s" [ "$awake" -le "$awake_at_most" ]
equal "cold starts and wakes of the three" "$(awk '/^dormouse_(cold_starts|wakes)_total/ { n += $2 } END { print n }' $dir/metrics.prom)" 2
equal "restarts by systemd" "$(property $service NRestarts) $(property $service Result)" "0 success"

say "--- a worker that is asleep starts the new program by itself"
upgrade
quick=$(enqueue quick)
ring $pool
wait_for 20 is_completed "$quick"

say "--- a program that cannot start changes nothing"
run=$(enqueue held)
ring $pool
wait_for 20 is_running "$run"
before=$(main)
printf '#!/bin/sh\nexit 3\n' >/usr/bin/dormouse.new
chmod 755 /usr/bin/dormouse.new
mv -f /usr/bin/dormouse.new /usr/bin/dormouse
systemctl kill --kill-whom=main --signal=HUP $service # reload asks the program itself whether the file is well
told() { journalctl --quiet --no-pager --unit=$service --since="$case_began" --grep='does not take over' | grep -q .; }
wait_for 30 told
equal "the main process" "$(main)" "$before"
equal "the run" "$(status_of "$run")" running

say "--- a program that does not fit the schema changes nothing either"
sql "INSERT INTO dormouse.migrations (version, name, checksum, oldest_release) VALUES (9999, '9999_next', 'x', '999.0.0')" >/dev/null
upgrade
systemctl kill --kill-whom=main --signal=HUP $service
fits_not() { journalctl --quiet --no-pager --unit=$service --since="$case_began" --grep='does not take over.*999.0.0' | grep -q .; }
wait_for 30 fits_not
equal "the main process" "$(main)" "$before"
equal "the run" "$(status_of "$run")" running
sql "DELETE FROM dormouse.migrations WHERE version = 9999" >/dev/null

say "--- a new program that is told to look at its file before the pool is its own does not begin"
before=$(main)
upgrade
sql "BEGIN; LOCK TABLE dormouse.migrations; SELECT pg_sleep(3); COMMIT" >/dev/null & # its trial of the schema waits for that
began=$SECONDS
systemctl reload --no-block $service
hangups=0
until other_main; do # the time for that is short: it is looked all the time
    for pid in $(pgrep --full "^[^ ]*dormouse worker $pool\$"); do
        if [ "$pid" != "$before" ] && kill -HUP "$pid" 2>/dev/null; then hangups=$((hangups + 1)); fi
    done
    [ "$SECONDS" -lt "$((began + 30))" ] || fail "the new program does not take over"
done
wait $!
holds "it was told so ($hangups times)" [ "$hangups" -gt 0 ]
equal "the run, its attempts, its processes" "$(status_of "$run") $(attempts_of "$run") $(pgrep -fc 'until .*go[.][$]DORMOUSE_RUN_ID')" "running 0 1"

say "--- systemctl stop: the old one has its grace"
take_over
old=$before
run_after=$(enqueue held)
ring $pool
wait_for 20 is_running "$run_after"
systemctl stop --no-block $service
leaves() { [[ $(status_text $pool) == leaving* ]]; }
wait_for 20 leaves
let_go "$run"
let_go "$run_after"
stopped() { [ "$(property $service ActiveState)" = inactive ]; }
wait_for 30 stopped
equal "runs" "$(status_of "$run") $(status_of "$run_after"), attempts $(attempts_of "$run") $(attempts_of "$run_after")" "completed completed, attempts 1 1"

say "--- the old one is killed: its handlers end, and the new one takes its run back at once"
systemctl start dormouse@$pool.target
run=$(enqueue held)
ring $pool
wait_for 20 is_running "$run"
take_over
old=$before
kill -KILL "$old"
again() { is_running "$run" && [ "$(sql "SELECT count(*) FROM dormouse.attempts WHERE run_id = '$run'")" -ge 2 ]; }
wait_for 20 again
equal "processes of the run" "$(pgrep -fc 'until .*go[.][$]DORMOUSE_RUN_ID')" 1
let_go "$run"
wait_for 20 is_completed "$run"

say "--- the new one is killed: systemd ends the old one with it, and the next one takes all back"
run=$(enqueue held)
ring $pool
wait_for 20 is_running "$run"
take_over
old=$before
new=$(main)
kill -KILL "$new"
wait_for 20 gone "$old"
wait_for 30 again
let_go "$run"
wait_for 20 is_completed "$run"
