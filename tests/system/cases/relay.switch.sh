#!/bin/bash
# The relay goes with its pool: stopped and started by the target once it is enabled, hardened, and it never fails: not for a
# file that is wrong, not for a database that sleeps, not for a doorbell that is not there.
source "$(dirname "$0")/../lib.sh"
pool=relay-switch
unit="dormouse-relay@$pool.service"
seen=$(systemd-analyze verify --man=no dormouse-relay@x.service 2>&1 || true)
equal "systemd-analyze verify" "$seen" ""
say "$(systemd-analyze security --no-pager dormouse-relay@x.service | tail -n 1)"
holds "exposure is at most 1.5" systemd-analyze security --no-pager --threshold=15 dormouse-relay@x.service >/dev/null

says() { [[ $(property $unit StatusText) == *"$1"* ]]; }
new_pool $pool
wait_for 20 asleep $pool
holds "a relay is optional" state_is $unit inactive
systemctl enable --quiet --now $unit
at_end "systemctl disable --quiet --now $unit"
wait_for 20 says "listens at "
systemctl stop dormouse@$pool.target
wait_for 20 state_is "$unit" inactive
say "ok: stopped with the target"
wait_for 20 asleep $pool
systemctl start dormouse@$pool.target
equal "started with the target" "$(property $unit ActiveState)" active
wait_for 20 says "listens at "

systemctl stop dormouse@$pool.socket
rm -f /run/dormouse/$pool.sock
equal "end of a stray kill" "$(kill "$(property $unit MainPID)" && echo killed)" killed
restarted() { [ "$(property $unit NRestarts)" = 1 ]; }
wait_for 20 restarted
wait_for 20 says "listens at "
systemctl start dormouse@$pool.socket

cp /etc/dormouse/$pool.toml /etc/dormouse/$pool.kept
echo 'nonsense = 1' >/etc/dormouse/$pool.toml
wait_for 20 says "keeps its configuration"
systemctl restart $unit
wait_for 20 says "waits for a configuration it can use"
say "   $(property $unit StatusText)"
configure $pool "postgresql://pool@ep-cool-rain-1.eu-central-1.aws.neon.tech/app" <<<"$short"
names_what_to_use_instead() { wait_for 20 says "refused: $1" && says "dormouse wake" && says "wake.max_sleep"; }
holds "refused: a database that is known to sleep" names_what_to_use_instead "the database at ep-cool-rain-1.eu-central-1.aws.neon.tech suspends itself"
say "   $(property $unit StatusText)"
{ sed '/^\[database\]/a close_after = "10s"' /etc/dormouse/$pool.kept; } >/etc/dormouse/$pool.toml
holds "refused: one that the pool's file calls so" names_what_to_use_instead "database.close_after"
say "   $(property $unit StatusText)"
mv /etc/dormouse/$pool.kept /etc/dormouse/$pool.toml
wait_for 20 says "listens at "
equal "the relay has not failed" "$(property $unit Result) $(property $unit NRestarts)" "success 0"
