#!/bin/bash
# A program that links libdormouse is a pool's worker by the drop-in of docs/embedding.md: a ring starts it inside the same
# sandbox, it does the work, sleeps, and leaves a due time that wakes it.
source "$(dirname "$0")/../lib.sh"
need_worker
[ -x "$DORMOUSE_BUILD/dormouse-example" ] || skip "dormouse-example is not built"
pool=orders
use_pool $pool
new_database $pool
install -m 0755 "$DORMOUSE_BUILD/dormouse-example" /usr/local/bin/orders
configure $pool <<<"$short"
drop_in=/etc/systemd/system/dormouse@$pool.service.d
mkdir -p $drop_in
sed -n '/^\[Service\]/,/^```/{/^```/d;p}' "$(dirname "$0")/../../../docs/embedding.md" >$drop_in/program.conf
say "$(cat $drop_in/program.conf)"
# shellcheck disable=SC2317 # called at the end
without() { rm -rf $drop_in /usr/local/bin/orders; systemctl daemon-reload; }
at_end without
systemctl daemon-reload
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool

run=$(enqueue total "'{\"customer\": \"Ada\", \"prices\": [1, 2.5]}'")
bad=$(enqueue total "'{\"customer\": \"Ada\", \"prices\": [1, \"2\"]}'")
ring $pool
wait_for 20 completed "$run"
equal "result" "$(sql "SELECT result FROM dormouse.runs WHERE id = '$run'")" 3.5
failed() { [ "$(status_of "$bad")" = failed ]; }
wait_for 20 failed
holds "the fault's place" grep -q "/prices/1: expected number, found string" <<<"$(sql "SELECT error::text FROM dormouse.runs WHERE id = '$bad'")"
in_journal() { journalctl --quiet --no-pager --output=cat "DORMOUSE_RUN_ID=$run" | grep -q 'the total for Ada'; }
wait_for 20 in_journal
wait_for 20 asleep $pool

later=$(enqueue total "'{\"customer\": \"Bob\", \"prices\": [4]}', delay => interval '3 seconds'")
ring $pool # so that somebody knows of it
wait_for 30 completed "$later"
wait_for 20 asleep $pool
say "activations: $(activations $pool)"
systemctl stop dormouse@$pool.target
