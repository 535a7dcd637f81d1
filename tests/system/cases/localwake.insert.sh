#!/bin/bash
# Local wake with a real worker: whoever inserts, in any language, wakes the sleeping pool by the commit alone; nobody rings, no
# timer is left to rescue, and a rollback wakes nobody.
source "$(dirname "$0")/../lib.sh"
pool=local-wake
role=shop
need_worker
use_pool $pool
drop_in $pool no-rescue <<'DROPIN'
[Service]
ExecStopPost=
Restart=no
DROPIN
systemctl enable --quiet --now run-dormouse.wake.mount
at_end systemctl disable --quiet --now run-dormouse.wake.mount
new_database $pool
configure $pool <<<"$short"
dormouse migrate --local-wake --database-url "postgresql:///$database?host=$PGHOST"
# An account that may enqueue and nothing else, of the database and of the host.
[ -n "$(sql "SELECT FROM pg_roles WHERE rolname = '$role'")" ] || sql "CREATE ROLE $role LOGIN IN ROLE dormouse_producer"
shop() { runuser -u nobody -- psql --no-psqlrc --quiet --no-align --tuples-only --host="$PGHOST" --username=$role --dbname="$database" --command="$1"; }

systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
before=$(activations $pool)

run=$(shop "SELECT dormouse.enqueue('work')")
wait_for 20 completed "$run"
say "insert to completion: $(sql "SELECT round(extract(epoch FROM finished_at - created_at) * 1000) FROM dormouse.runs WHERE id = '$run'") ms"
wait_for 20 asleep $pool
holds "it was woken" [ "$(activations $pool)" -gt "$before" ]
wait_for 20 not test -e /run/dormouse.wake/$pool
wait_for 20 asleep $pool
for kind in mkfifo mkdir touch; do
    holds "no handler can put anything there ($kind)" not runuser -u dormouse -- $kind /run/dormouse.wake/evil
done

before=$(activations $pool)
shop "BEGIN; SELECT dormouse.enqueue('work'); ROLLBACK" >/dev/null
shop "SELECT dormouse.enqueue('work', queue => 'nobody')" >/dev/null
sql "DELETE FROM dormouse.runs WHERE queue = 'nobody'" # its commit comes after those of the two above, and so does what it would wake
equal "a rollback and another queue wake nobody" "$(activations $pool)" "$before"
equal "and leave no wake file" "$(find /run/dormouse.wake -name $pool)" ""

# While it starts, looks, is idle and leaves: runs one after the other, each committed as soon as the one before has ended or not.
if [ -n "${DORMOUSE_FULL:-}" ]; then count=100; else count=30; fi
for ((i = 0; i < count; i++)); do
    run=$(shop "SELECT dormouse.enqueue('work')")
    if ((i % 3 == 0)); then wait_for 20 completed "$run"; fi
    if ((i % 7 == 0)); then wait_for 20 asleep $pool; fi
done
wait_for 20 all_completed
wait_for 20 asleep $pool

# While it runs something.
slow=$(shop "SELECT dormouse.enqueue('slow')")
runs_slow() { [ "$(status_of "$slow")" = running ]; }
wait_for 20 runs_slow
shop "SELECT dormouse.enqueue('work')" >/dev/null
wait_for 20 all_completed
wait_for 20 asleep $pool
equal "timers" "$(armed $pool)" ""
