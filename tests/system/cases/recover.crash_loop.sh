#!/bin/bash
# A worker that aborts at its start, and one that crashes whenever it has a session: the pool stays alive, the connects thin
# out, and when the cause is gone the run completes with nobody's help.
source "$(dirname "$0")/../lib.sh"
pool=crash-loop
service=dormouse@$pool.service
new_pool $pool
wait_for 20 asleep $pool

touch /etc/dormouse-test-abort
drop_in $pool abort <<'DROPIN'
[Service]
ExecStart=
ExecStart=/bin/bash -c 'test ! -e /etc/dormouse-test-abort || kill -ABRT $$$$; exec /usr/bin/dormouse worker %i'
DROPIN
run=$(enqueue work)
ring $pool
restarted() { [ "$(property $service NRestarts)" -ge 5 ]; }
wait_for 60 restarted
equal "doorbell" "$(property dormouse@$pool.socket ActiveState)" active
holds "the crashes are counted" test "$(cat /run/dormouse/$pool.failures)" -ge 5
rm /etc/dormouse-test-abort
wait_for 120 completed "$run"
say "ok: worker that aborts at its start"
wait_for 20 asleep $pool

# One that stays otherwise: a clean exit in between would end the row of crashes.
stop_pool $pool
wait_for 20 not has_session # of the one before
configure $pool <<<'idle_exit = "1h"
look_exit = "1h"'
enqueue work "max_attempts => 20" >/dev/null # each kill may lose one
systemctl start dormouse@$pool.target
began=$(date +%s%N)
times=()
for _ in $(seq 6); do
    wait_for 60 has_session
    times+=($((($(date +%s%N) - began) / 1000000)))
    wait_for 20 kill_worker $pool
    wait_for 20 not has_session
done
say "connects at ms: ${times[*]}"
holds "connects thin out" test $((times[5] - times[4])) -gt $((times[1] - times[0]))
wait_for 120 all_completed
say "ok: worker that was killed at each of six sessions"
