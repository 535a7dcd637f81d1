#!/bin/bash
# The network goes away without a word while a run is at work: packets are lost, nobody closes anything. TCP finds it
# (tcp_user_timeout, by default 30 s), without a statement; the result in hand is written when the network is back.
source "$(dirname "$0")/../lib.sh"
pool=network
need_worker
if ! command -v ip >/dev/null; then
    say "SKIPPED: there is no ip (Debian package iproute2), so no network can be taken away"
    exit 77
fi
use_pool $pool
new_database $pool
# By default, 30 s, in the long form only.
if [ -n "${DORMOUSE_FULL:-}" ]; then option='' timeout=30000; else option='?tcp_user_timeout=4000' timeout=4000; fi
configure $pool "postgresql://pool@127.0.0.1/$database$option" <<<"$short"
sed -i 's/^lease = .*/lease = "10min"/' /etc/dormouse/$pool.toml # what the worker waits for itself is longer
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
says() { [[ $(status_text $pool) == *"$1"* ]]; }

now_is_then
run=$(enqueue slow)
ring $pool
running() { [ "$(status_of "$run")" = running ]; }
wait_for 20 running
at_end "ip link set lo up"
gone=$EPOCHREALTIME
ip link set lo down
wait_for 90 has_said $pool database_lost
say "found after $(awk -v from="$gone" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }') s: the handler's 3, then tcp_user_timeout ($timeout ms)"
say "   $(status_text $pool)"
holds "it says so" says "no database"
equal "the run is still this worker's" "$(status_of "$run")" running
ip link set lo up
wait_for 60 completed "$run"
equal "attempts" "$(attempts_of "$run")" 1
one_outage $pool
wait_for 60 asleep $pool
