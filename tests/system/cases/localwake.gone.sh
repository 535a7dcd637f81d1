#!/bin/bash
# A wake that comes while the worker is dead, or while the pool is stopped, is served as soon as there is somebody to serve it.
source "$(dirname "$0")/../lib.sh"
pool=local-wake-gone
need_worker
use_pool $pool
systemctl enable --quiet --now run-dormouse.wake.mount
at_end systemctl disable --quiet --now run-dormouse.wake.mount
new_database $pool
configure $pool <<<'idle_exit = "1h"
look_exit = "1h"'
dormouse migrate --local-wake --database-url "postgresql:///$database?host=$PGHOST"
file=/run/dormouse.wake/$pool

systemctl start dormouse@$pool.target
wait_for 20 has_session
run=$(enqueue work)
wait_for 20 completed "$run"

# Stopped: nothing starts, the file stays, and the next start serves it.
stop_pool $pool
rm -f "$file" # an awake worker may leave it until it leaves
run=$(enqueue work)
holds "the wake file waits" test -e "$file"
holds "a stopped pool stays stopped" asleep $pool
equal "it is not executed" "$(status_of "$run")" queued
systemctl start dormouse@$pool.target
wait_for 20 completed "$run"
wait_for 5 not test -e "$file"

# Dead: killed, and not restarted by anything but the wake.
drop_in $pool no-rescue <<'DROPIN'
[Service]
ExecStopPost=
Restart=no
DROPIN
stop_pool $pool
systemctl start dormouse@$pool.target
wait_for 20 has_session
wait_for 20 kill_worker $pool
wait_for 20 state_is dormouse@$pool.service failed
run=$(enqueue work)
wait_for 20 completed "$run"
wait_for 5 not test -e "$file"

# The commit takes longer than the worker would stay: it was woken, nobody had listened, so it stays until that transaction is over.
configure $pool <<<"$short"
rm -f "/etc/systemd/system/dormouse@$pool.service.d/no-rescue.conf"
systemctl daemon-reload
stop_pool $pool
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
before=$(activations $pool)
coproc slow { psql --no-psqlrc --quiet --no-align --tuples-only --dbname="$database"; }
printf '%s\n' "BEGIN; SELECT dormouse.enqueue('work'); SET CONSTRAINTS ALL IMMEDIATE;" >&"${slow[1]}"
read -r run <&"${slow[0]}"
woken() { [ "$(activations $pool)" -ge $((before + 1)) ]; }
wait_for 20 woken
wait_for 20 has_session
say "ok: it is awake while somebody is between wake and commit"
printf 'COMMIT;\n' >&"${slow[1]}"
wait_for 20 completed "$run"
eval "exec ${slow[1]}>&-"
wait_for 20 asleep $pool
equal "nothing is armed" "$(armed $pool)" ""

# Postgres cannot write: the producer commits all the same, and is told.
chmod 0700 /run/dormouse.wake
warning=$(psql --no-psqlrc --quiet --dbname="$database" --command="SELECT dormouse.enqueue('work')" 2>&1 >/dev/null)
chmod 0775 /run/dormouse.wake
holds "a warning with the remedy" grep -q 'run-dormouse.wake.mount' <<<"$warning"
equal "the run is there" "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'queued'")" 1
enqueue work >/dev/null
wait_for 20 all_completed
