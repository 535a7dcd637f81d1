#!/bin/bash
# A worker that is killed is told by a unit of its own, in its sandbox, by the command of the pool's file; `dormouse alert --test` reaches it too; and a
# pool without [alerts] tells nobody and fails nothing.
source "$(dirname "$0")/../lib.sh"
pool=alert-death
told=/var/lib/dormouse/$pool/told
program=/usr/local/bin/dormouse-test-tell
at_end rm -f $program
printf '#!/bin/sh\ncat >>%s\necho >>%s\n' "$told" "$told" >$program
chmod 755 $program
stays='idle_exit = "1h"
look_exit = "1h"'

new_pool $pool "$stays"
wait_for 30 has_session
kill_worker $pool
restarted() { [ "$(property dormouse@$pool.service NRestarts)" -ge 1 ]; }
wait_for 30 restarted
wait_for 30 state_is dormouse@$pool.service active
wait_for 20 state_is dormouse-alert@$pool.service inactive
equal "without [alerts]: what the unit ended with" "$(property dormouse-alert@$pool.service Result)" success
holds "nobody is told" test ! -e $told

stop_pool $pool
configure $pool <<<"$stays
[alerts]
command = [\"$program\"]"
systemctl start dormouse@$pool.target
wait_for 30 has_session
kill_worker $pool
wait_for 30 test -s $told
say "$(cat $told)"
holds "the message names the pool" grep -q "\"pool\":\"$pool\"" $told
holds "it is of a worker that has died" grep -q '"state":"trouble"' $told
holds "and of nothing else" test "$(wc -l <$told)" -le 2
wait_for 20 state_is dormouse-alert@$pool.service inactive

rm $told
runuser -u dormouse -- dormouse alert --test $pool
holds "the test message has come" test -s $told
