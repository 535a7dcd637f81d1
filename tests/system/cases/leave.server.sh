#!/bin/bash
# A server on this machine that is a unit of its own: `dormouse setup` orders the pool's worker after it, so that a stop of both at once (a shutdown) takes
# the server down when the worker has written what it has: a handler within the grace completes, one beyond it is handed back, uncounted. Without
# that doctor says what is missing.
source "$(dirname "$0")/../lib.sh"
need_worker
pool=server-unit
service=dormouse@$pool.service
use_pool $pool
rm -f /etc/dormouse/$pool.toml
database=postgres PGOPTIONS="-c client_min_messages=warning" sql "DROP DATABASE IF EXISTS server_unit WITH (FORCE)"
new_database $pool # for the login "pool"
database=server_unit
# As at a shutdown: one transaction that stops both.
cat >/etc/systemd/system/dormouse-test-down.target <<UNIT
[Unit]
Conflicts=$postgres_unit dormouse@$pool.target $service dormouse@$pool.socket dormouse@$pool.path
UNIT
at_end "rm -f /etc/systemd/system/dormouse-test-down.target /etc/dormouse/$pool.toml; systemctl stop dormouse-test-down.target; systemctl daemon-reload; systemctl start $postgres_unit"
# shellcheck disable=SC2317 # called at the end
nothing_left() {
    stop_pool server-unit
    database=postgres
    sql "DROP DATABASE IF EXISTS server_unit WITH (FORCE)"
    sql "DROP ROLE IF EXISTS dormouse_owner"
}
at_end nothing_left
down() {
    systemctl start dormouse-test-down.target
    wait_for 90 state_is "$postgres_unit" inactive
}
up() {
    systemctl stop dormouse-test-down.target
    systemctl start "$postgres_unit"
}

said=$(dormouse setup "postgresql://postgres@/server_unit?host=$PGHOST" --create-database server_unit --pool $pool --login pool)
line=$(grep -A 7 "$postgres_unit, its server" <<<"$said") || fail "setup says nothing of the order: $said"
say "$line"
holds "the unit is ordered" grep -qw -- "$postgres_unit" <<<"$(property $service After)"
again=$(dormouse setup "postgresql://postgres@/server_unit?host=$PGHOST" --pool $pool --login pool)
holds "a second time it is there" grep -q "^# there already: .*$postgres_unit" <<<"$again"

rm /etc/systemd/system/dormouse@$pool.service.d/40-server.conf
systemctl daemon-reload
doctor() { dormouse doctor --pool $pool 2>/dev/null || [ $? = 13 ]; }
line=$(doctor | grep "^warning *pool $pool: shutdown: ") || fail "doctor does not miss it: $(doctor)"
say "$line"
mends=${line##*so what runs then is lost and counts; }
bash -c "$mends"
holds "its command mends it" not grep -q "shutdown: " <<<"$(doctor)"

cat >>/etc/dormouse/$pool.toml <<'TOML'
[task.twenty]
command = ["/bin/sleep", "20"]
[task.hour]
command = ["/bin/sleep", "3600"]
[worker]
look_exit = "10min"
shutdown_grace = "25s"
TOML
stop_pool $pool
systemctl start dormouse@$pool.target
twenty=$(enqueue twenty)
hour=$(enqueue hour)
ring $pool
both_run() { [ "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'running'")" = 2 ]; }
wait_for 20 both_run
began=$(date +%s)
now_is_then
down
say "both are down after $(($(date +%s) - began)) s (aim: 25 s for the handler of an hour, and 10 more if it does not listen)"
equal "ends that were told" "$(said $pool worker_pool_stopped)" 1
holds "gracefully" grep -q 'graceful=true' <<<"$(journalctl --quiet --no-pager --output=cat --unit=$service --since="$then" --grep=worker_pool_stopped)"
up
equal "within the grace" "$(status_of "$twenty"), attempts $(attempts_of "$twenty")" "completed, attempts 1"
equal "beyond it" "$(status_of "$hour"), attempts $(attempts_of "$hour")" "queued, attempts 0"
equal "its attempts" "$(sql "SELECT string_agg(outcome, ' ') FROM dormouse.attempts WHERE run_id = '$hour'")" handed_back
sql "UPDATE dormouse.runs SET status = 'canceled' WHERE id = '$hour'"

say "--- through Debian's postgresql.service, which is behind each cluster"
rm /etc/systemd/system/dormouse@$pool.service.d/40-server.conf
mkdir -p "/etc/systemd/system/$postgres_unit.d"
at_end "rm -rf /etc/systemd/system/$postgres_unit.d"
printf '[Unit]\nBefore=dormouse-test-between.service\n' >"/etc/systemd/system/$postgres_unit.d/between.conf"
printf '[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes\n' >/etc/systemd/system/dormouse-test-between.service
drop_in $pool between <<<"[Unit]
After=dormouse-test-between.service"
at_end "systemctl stop dormouse-test-between.service; rm -f /etc/systemd/system/dormouse-test-between.service"
systemctl start dormouse@$pool.target
wait_for 20 state_is dormouse@$pool.socket active
shutdown_finding() { doctor | grep -q "^warning *pool $pool: shutdown: "; }
holds "not while that is inactive" shutdown_finding
systemctl start dormouse-test-between.service
holds "it is ordered while that is active" not shutdown_finding
