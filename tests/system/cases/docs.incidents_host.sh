#!/bin/bash
# docs/incidents.md, what a host does to a pool: a worker that crashes again and again, disks that are full, a clock that is an hour ahead. Each is made to
# happen, the page's commands are typed, and what it shows is what is seen; when it is over, the pool goes on with nobody's help.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../page.sh"
need_worker
pool=default
service=dormouse@$pool.service
page=$(dirname "$0")/../../../docs/incidents.md kind=incident
use_pool $pool
new_database app
small=/srv/small spool=/var/spool/dormouse/$pool state=/var/lib/dormouse/$pool
configure $pool <<TOML
idle_exit = "50ms"
look_exit = "50ms"
[task.report]
command = ["/bin/true"]
[task.writes]
command = ["/bin/sh", "-c", 'head -c 1000000 /dev/zero >"\$HOME/report" || { rm -f "\$HOME/report"; exit 1; }']
backoff = { base = "1s", max = "1s" }
max_attempts = 100
TOML
only_this_pool
as_set_up
systemctl enable --quiet --now dormouse@$pool.target
wait_for 20 asleep $pool
executes() { # executes WHAT [TASK]: a run that somebody rings for
    run=$(enqueue "${2:-report}")
    ring $pool
    wait_for 60 completed "$run"
    say "ok: $1 the pool goes on"
}

say "--- a crash loop"
touch /etc/dormouse-test-abort
at_end rm -f /etc/dormouse-test-abort
drop_in $pool abort <<'DROPIN'
[Service]
RestartSec=5s
ExecStart=
ExecStart=/bin/bash -c 'test ! -e /etc/dormouse-test-abort || kill -ABRT $$$$; exec /usr/bin/dormouse worker %i'
DROPIN
run=$(enqueue report)
ring $pool
crashed_twice() { [ "$(cat /run/dormouse/$pool.failures 2>/dev/null)" = 2 ] && [ "$(property $service SubState)" = auto-restart ]; }
wait_for 60 crashed_twice
typed host-crash-loop
rm /etc/dormouse-test-abort
wait_for 60 completed "$run"
rm "/etc/systemd/system/$service.d/abort.conf"
systemctl daemon-reload
wait_for 20 asleep $pool
executes "after crashes"

say "--- the spool's disk"
wait_for 20 asleep $pool
group=$(getent group dormouse-spool | cut -d: -f3)
mount -t tmpfs -o size=64k,mode=3770,uid="$(id -u dormouse)",gid="$group" tmpfs $spool
at_end "umount --lazy $spool $state $small 2>/dev/null"
fill() { dd if=/dev/zero of="$1/filler" bs=4k status=none 2>/dev/null || true; }
fill $spool
typed host-spool-full
rm $spool/filler
id=$(dormouse enqueue report --spool)
systemctl restart dormouse@$pool.path # it was mounted while the pool was on
wait_for 30 completed "$id"
wait_for 20 asleep $pool
umount --lazy $spool
systemctl restart dormouse@$pool.path

say "--- the disk of what handlers write"
wait_for 20 asleep $pool
mount -t tmpfs -o size=2m,mode=700,uid="$(id -u dormouse)",gid="$(id -g dormouse)" tmpfs $state
fill $state
run=$(enqueue writes)
ring $pool
has_error() { [ -n "$(sql "SELECT error FROM dormouse.runs WHERE id = '$run'")" ]; }
wait_for 30 has_error
typed host-state-full
rm $state/filler
wait_for 60 completed "$run"
executes "with room for state"
wait_for 20 asleep $pool
umount --lazy $state

say "--- the disk of the text file"
mkdir -p $small
mount -t tmpfs -o size=256k,mode=777 tmpfs $small
sed -i "/^\[worker\]/i [metrics]\ntextfile = \"$small/dormouse.prom\"" /etc/dormouse/$pool.toml
drop_in $pool textfile <<DROPIN
[Service]
ReadWritePaths=$small
DROPIN
fill $small
executes "without room for the text file,"
wait_for 20 asleep $pool
typed host-textfile-full
rm $small/filler
executes "with room for the text file"
wait_for 20 test -s $small/dormouse.prom
sed -i '/^\[metrics\]/,+1d' /etc/dormouse/$pool.toml

say "--- a full /run"
wait_for 20 asleep $pool
at_end "rm -f /run/full; mount -o remount,size=50% /run"
mount -o remount,size=24m /run
fill_run() {
    dd if=/dev/zero of=/run/full bs=64k status=none 2>/dev/null || true
    dd if=/dev/zero of=/run/full bs=512 status=none oflag=append conv=notrunc 2>/dev/null || true
}
fill_run
run=$(enqueue report "delay => interval '5 s'")
ring $pool
could_not() { journalctl --quiet --no-pager --output=cat --unit=$service --since="$case_began" --grep='no timer: ' | grep -q .; }
wait_for 60 could_not
typed host-run-full
rm /run/full
wait_for 60 completed "$run"
mount -o remount,size=50% /run
systemctl daemon-reload
executes "with room in /run"

say "--- a clock an hour ahead: the database's"
library=$(compgen -G '/usr/lib/*/faketime/libfaketime.so.1' | head -n 1) || true
if [ -z "$library" ]; then
    say "SKIPPED: a clock that is set: needs libfaketime (Debian package faketime)"
    told+=(host-clock)
else
    wait_for 20 asleep $pool
    clock=/var/lib/dormouse-test-clock
    echo +0 >$clock
    chmod 644 $clock
    mkdir -p "/etc/systemd/system/$postgres_unit.d"
    cat >"/etc/systemd/system/$postgres_unit.d/clock.conf" <<DROPIN
[Service]
Environment=LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
DROPIN
    at_end "rm -rf /etc/systemd/system/$postgres_unit.d; systemctl daemon-reload; systemctl restart $postgres_unit"
    systemctl daemon-reload
    systemctl restart "$postgres_unit"
    held=$(enqueue slow)
    ring $pool
    is_running() { [ "$(status_of "$held")" = running ]; }
    wait_for 20 is_running
    echo +3600 >$clock
    typed host-clock
    executes "with a clock that is ahead"
    wait_for 60 completed "$held"
    say "   attempts of the run that was at work when the clock jumped: $(sql "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = '$held'")"
    echo +0 >$clock
    executes "with a clock that was set back"
fi

equal "incidents of the host" "$(sed -n 's/^<!-- incident: \(.*\) -->$/\1/p' "$page" | grep '^host-' | sort | xargs)" "$(printf '%s\n' "${told[@]}" | sort | xargs)"
