#!/bin/bash
# No ring is lost at the exit: runs are enqueued and rung once at random moments around it, with the due timer, Restart= and so
# every other rescue switched off. 2,000 rounds with ./dev test --full, which takes ten minutes; DORMOUSE_W4_ROUNDS says otherwise.
source "$(dirname "$0")/../lib.sh"
pool=around-exit
if [ -n "${DORMOUSE_FULL:-}" ]; then rounds=2000; else rounds=80; fi
rounds=${DORMOUSE_W4_ROUNDS:-$rounds}
use_pool $pool
drop_in $pool no-rescue <<'DROPIN'
[Service]
ExecStopPost=
Restart=no
DROPIN
need_worker
new_database $pool
configure $pool <<'TOML'
idle_exit = "15ms"
look_exit = "15ms"
TOML
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
/usr/bin/python3 "$(dirname "$0")/../rounds.py" $pool "$database" "$rounds" 120
wait_for 20 asleep $pool
equal "timers" "$(armed $pool)" ""
equal "runs left" "$(sql "SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'")" 0
say "activations: $(activations $pool) in $rounds rounds"
