#!/bin/bash
# `dormouse doctor` as root looks as the account of the workers, and says what systemd knows of a pool: its units, their drop-ins, a doorbell that
# nobody listens at, files that systemd has not read. What is wrong ends with what mends it: it is executed here.
source "$(dirname "$0")/../lib.sh"
need_worker
pool=doctor
new_pool $pool
wait_for 20 asleep $pool
systemctl enable --quiet dormouse@$pool.target
at_end "systemctl disable --quiet dormouse@$pool.target"
doctor() { dormouse doctor --pool $pool || [ $? = 13 ]; }
about() { doctor | grep "^$1 *pool $pool: $2: "; }

holds "the units and their timer" grep -q "target active, socket active, path active" <<<"$(about ok units)"
holds "the doorbell and its mode" grep -q "/run/dormouse/$pool.sock listens, mode 0666" <<<"$(about ok doorbell)"
holds "its database, as the account of the workers" test -n "$(about ok database)"
holds "JSON" grep -q '^{"ok":' <<<"$(dormouse doctor --pool $pool --json || true)"

mkdir -p /etc/systemd/system/dormouse@$pool.service.d
at_end "rm -rf /etc/systemd/system/dormouse@$pool.service.d; systemctl daemon-reload"
printf '[Service]\nEnvironment=A=b\n' >/etc/systemd/system/dormouse@$pool.service.d/own.conf
systemctl daemon-reload
holds "a drop-in is named" grep -q "has the drop-in /etc/systemd/system/dormouse@$pool.service.d/own.conf" <<<"$(about note units)"

touch --date='+1 hour' /etc/systemd/system/dormouse@$pool.service.d/own.conf
line=$(about warning units)
holds "files that systemd has not read" grep -q "have changed since systemd read them" <<<"$line"
touch /etc/systemd/system/dormouse@$pool.service.d/own.conf
${line##*; }
holds "… and has read them" not about warning units

rm /etc/systemd/system/dormouse@$pool.service.d/own.conf
sed -i '/^\[worker\]/a shutdown_grace = "10min"' /etc/dormouse/$pool.toml
line=$(doctor | grep "^warning *pool $pool: shutdown_grace: ")
holds "a grace that systemd does not give" grep -q "is 10min, and systemd ends a worker 90s after a stop" <<<"$line"
bash -c "${line##*(TimeoutStopSec=) if it is reloaded meanwhile; }"
equal "… and gives" "$(property dormouse@$pool.service TimeoutStopUSec)" "10min 30s"
holds "no finding of that any more" not grep "shutdown_grace" <<<"$(doctor)"

systemctl stop dormouse@$pool.target
wait_for 20 state_is dormouse@$pool.socket inactive # stop returns when the target has stopped
wait_for 20 asleep $pool
line=$(about note doorbell || about failed doorbell)
holds "nobody listens" grep -q "this pool cannot be rung" <<<"$line"
${line##*; }
holds "somebody does" test -n "$(about ok doorbell)"
