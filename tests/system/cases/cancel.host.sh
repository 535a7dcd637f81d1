#!/bin/bash
# dormouse cancel on a host that shares nothing with the worker's but the database: another name, other processes, another network, no
# doorbell. The worker hears of it, its handler gets SIGTERM; this one ignores that, as does what it has put into a session of its own,
# and both are gone ten seconds later. Takes those, so it is one of the long ones.
source "$(dirname "$0")/../lib.sh"
if [ -z "${DORMOUSE_FULL:-}" ]; then
    say "SKIPPED: takes ten seconds and more: ./dev test --full"
    exit 77
fi
pool=cancel
service=dormouse@$pool.service
need_worker
use_pool $pool
new_database $pool
here=/run/dormouse/$pool
cat >/srv/stubborn-tree <<SCRIPT
#!/bin/bash
trap 'echo handler >>$here/heard' TERM
setsid bash -c 'trap "echo grandchild >>$here/heard" TERM; echo \$\$ >>$here/tree; while :; do sleep 0.1; done' &
echo \$\$ >>$here/tree
while :; do sleep 0.1; done # a handler that never ends
SCRIPT
chmod 755 /srv/stubborn-tree
configure $pool <<TOML
idle_exit = "10min"
look_exit = "10min"
[task.stubborn]
command = ["/srv/stubborn-tree"]
TOML
sed -i 's/^lease = .*/lease = "1h"/' /etc/dormouse/$pool.toml # or it would be found out by an extension
systemctl start dormouse@$pool.target
run=$(enqueue stubborn)
ring $pool
has_tree() { [ -e $here/tree ] && [ "$(wc -l <$here/tree)" = 2 ]; }
wait_for 20 has_tree
mapfile -t tree <$here/tree
worker=$(property $service MainPID)

elsewhere() { # elsewhere COMMAND …
    unshare --uts --pid --net --ipc --fork --kill-child --mount --mount-proc bash -c '
        hostname another-host
        for hidden in /run/dormouse /etc/dormouse /var/lib/dormouse; do mount -t tmpfs none $hidden; done
        exec "$@"' elsewhere "$@"
}
url="postgresql://postgres@/$database?host=$PGHOST"
equal "the host that cancels" "$(elsewhere hostname)" another-host
holds "it does not see the worker" elsewhere bash -c "! [ -e /proc/$worker ] && ! [ -e $here ]"
began=$(date +%s%N)
elsewhere dormouse cancel --database-url "$url" "$run"
equal "status" "$(status_of "$run")" canceled
heard() { grep -qsx handler $here/heard; }
wait_for 20 heard
say "SIGTERM after $((($(date +%s%N) - began) / 1000000)) ms"
holds "the tree is still there" kill -0 "${tree[@]}"
gone() { not kill -0 "${tree[0]}" 2>/dev/null && not kill -0 "${tree[1]}" 2>/dev/null; }
wait_for 20 gone
took=$((($(date +%s%N) - began) / 1000000))
say "gone after $took ms (aim: 10000)"
holds "not before its ten seconds" [ $took -ge 9900 ]
equal "attempts" "$(sql "SELECT string_agg(outcome, ' ') FROM dormouse.attempts WHERE run_id = '$run'")" canceled
equal "the worker is the same" "$(property $service MainPID)" "$worker"
next=$(enqueue work)
wait_for 20 completed "$next"
