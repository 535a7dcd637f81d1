#!/bin/bash
# The .deb's scripts, as dpkg calls them: what they find on the machine may keep them from starting, restarting or stopping something, and never
# from ending well, or the package would be left half installed. And they start and stop nothing that policy-rc.d forbids.
source "$(dirname "$0")/../lib.sh"
scripts=$(dirname "$0")/../../../packaging/deb
pool=scripted
use_pool $pool
stand_in $pool <<'WORKER'
case $(cat /etc/dormouse-test/scripted.mode) in
work) trap 'due none; exit 0' TERM; while :; do read -r -t 1 <> <(:) || :; done ;;
leave) due none ;;
esac
WORKER
mode() { echo "$1" >/etc/dormouse-test/scripted.mode; }
install -m 0755 "$scripts/../pools.sh" /usr/lib/dormouse/pools
rm -f /usr/sbin/policy-rc.d # images of containers have one
units=/usr/lib/systemd/system away=/usr/lib/systemd/dormouse.away
at_end "units_come; rm -f /usr/lib/dormouse/pools /usr/sbin/policy-rc.d /run/dormouse.installing; umount /run/dormouse.wake 2>/dev/null
        systemctl unmask --quiet dormouse.target dormouse@$pool.target; systemctl start dormouse.target"

# What dpkg does between the scripts, as far as systemd sees it.
units_go() { mkdir $away && mv $units/dormouse* $units/run-dormouse* $away; }
units_come() { [ ! -d $away ] || { mv $away/* $units && rmdir $away; }; }
installs() { "$scripts/preinst" install && units_come && "$scripts/postinst" configure ''; }
new_program() { cp -p /usr/bin/dormouse /usr/bin/dormouse.dpkg-new && mv -f /usr/bin/dormouse.dpkg-new /usr/bin/dormouse; }
upgrades() {
    "$scripts/prerm" upgrade 2 && "$scripts/preinst" upgrade 1 && new_program &&
        "$scripts/postrm" upgrade 2 && "$scripts/postinst" configure 1
}
removes() { "$scripts/prerm" remove && units_go && "$scripts/postrm" remove; }
up() { state_is dormouse@$pool.socket active; }
main_pid() { property dormouse@$pool.service MainPID; }
restarted() { [ "$(main_pid)" != 0 ] && [ "$(main_pid)" != "$1" ]; }

say "--- nothing in the way"
mode work
systemctl enable --quiet dormouse@$pool.target
holds "it installs" installs
wait_for 20 state_is dormouse@$pool.service active
before=$(main_pid)
holds "it upgrades" upgrades
wait_for 20 restarted "$before"
holds "it is removed" removes
wait_for 20 state_is dormouse@$pool.socket inactive

say "--- units that are masked"
for unit in dormouse.target dormouse@$pool.target; do
    systemctl mask --quiet "$unit"
    for action in installs upgrades removes installs; do holds "$unit is masked: it $action" $action; done
    not up || fail "a masked pool was started"
    systemctl unmask --quiet "$unit"
done
systemctl enable --quiet dormouse@$pool.target

say "--- needrestart is told by the line of docs/packages.md to leave workers alone"
line=$(sed -n 's/.*`\(\$nrconf[^`]*;\)`.*/\1/p' "$scripts/../../docs/packages.md")
answer=$(perl -e 'our %nrconf; eval $ARGV[0]; die $@ if $@;
    for my $unit (@ARGV[1 .. $#ARGV]) { print join(",", map { $nrconf{override_rc}{$_} } grep { $unit =~ /$_/ } keys %{$nrconf{override_rc}}) // "", ";" }' \
    "$line" dormouse@default.service dormouse-relay@default.service)
equal "workers, and relays, of which it has no line" "$answer" "0;;"

say "--- policy-rc.d"
# A doorbell that went on while its unit was gone has no socket any more once the worker has left, and does not get one by itself.
wakes() {
    wait_for 20 state_is dormouse@$pool.service active
    kill -TERM "$(main_pid)"
    wait_for 20 asleep $pool
    ring $pool || return
    wait_for 20 state_is dormouse@$pool.service active
}
forbid() { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d; }
# as_told WHAT ACTION: the action, which says what is to be done instead of what was forbidden; then that.
as_told() {
    local said
    said=$($2 2>&1) || fail "$1: $said"
    said=$(sed -n 's/.*policy-rc.d forbids.* later: //p' <<<"$said")
    say "ok: $1, and says: $said"
    later=$said
}
forbid
holds "it installs" installs
not up || fail "the installation started a pool against policy-rc.d"
systemctl start dormouse@$pool.target
wait_for 20 state_is dormouse@$pool.service active
before=$(main_pid)
as_told "it upgrades" upgrades
equal "jobs after the upgrade" "$(systemctl list-jobs --plain --no-legend "*$pool*" | wc -l)" 0
equal "the worker" "$(main_pid)" "$before"
eval "$later"
wait_for 20 restarted "$before"
before=$(main_pid)
as_told "it is removed" removes
equal "the worker" "$(main_pid)" "$before"
as_told "it is installed again" installs
equal "the worker" "$(main_pid)" "$before"
eval "$later"
holds "the doorbell wakes the pool" wakes
as_told "it is removed" removes
eval "$later"
for unit in service socket path timer target; do wait_for 20 state_is dormouse@$pool.$unit inactive; done
rm /usr/sbin/policy-rc.d
holds "it installs" installs
wait_for 20 state_is dormouse@$pool.service active
forbid
holds "it is removed, and its pool goes on" removes
rm /usr/sbin/policy-rc.d
holds "it is installed again, where that is allowed" installs
holds "the doorbell wakes the pool" wakes
printf '#!/bin/sh\nexit 104\n' >/usr/sbin/policy-rc.d # allowed
chmod 755 /usr/sbin/policy-rc.d
holds "it is removed where that is allowed" removes
wait_for 20 state_is dormouse@$pool.socket inactive
rm /usr/sbin/policy-rc.d
holds "it installs" installs

say "--- wake files in use"
systemctl enable --quiet --now run-dormouse.wake.mount
wait_for 20 up
(cd /run/dormouse.wake && exec tail -f /dev/null) & # until it is ended
holder=$!
at_end "kill $holder 2>/dev/null"
said=$(removes 2>&1) || fail "it is not removed: $said"
holds "it is removed, and says how to end local wake" grep -q 'dormouse migrate --no-local-wake' <<<"$said"
wait_for 20 state_is dormouse@$pool.socket inactive
kill $holder
holds "it installs" installs
systemctl disable --quiet run-dormouse.wake.mount

say "--- no systemd, as in a container or a chroot"
systemctl start dormouse.target
wait_for 20 state_is dormouse@$pool.service active
before=$(main_pid)
offline() { unshare --mount bash -ec 'mount -t tmpfs tmpfs /run; "$@"' offline "$@"; }
export -f installs upgrades removes units_go units_come new_program
export scripts units away
for action in removes installs upgrades; do holds "it $action" offline $action; done
equal "the worker, of which they see nothing" "$(main_pid)" "$before"

say "--- a purge where directories are file systems of their own"
tree=$(mktemp -d)
at_end "umount --recursive $tree/*/* $tree/*/*/* 2>/dev/null; rm -rf --one-file-system $tree"
for directory in run/dormouse/$pool var/lib/dormouse var/spool/dormouse etc/dormouse; do
    mkdir -p "$tree/$directory"
    mount -t tmpfs tmpfs "$tree/$directory"
done
touch "$tree/run/dormouse/$pool/theirs" "$tree/var/lib/dormouse/theirs"
mkdir -p "$tree/var/spool/dormouse/$pool" "$tree/etc/systemd/system/dormouse.target.wants"
ln -s /gone "$tree/etc/systemd/system/dormouse.target.wants/dormouse@$pool.target"
holds "it is purged" env DPKG_ROOT="$tree" "$scripts/postrm" purge
equal "what is left" "$(cd "$tree" && find . -mindepth 1 ! -type d -o -type d -empty | sort | xargs)" \
    "./etc/dormouse ./etc/systemd/system ./run/dormouse/$pool/theirs ./var/lib/dormouse/theirs ./var/spool/dormouse"

say "--- a full /run"
mode work
systemctl start dormouse.target
wait_for 20 state_is dormouse@$pool.service active
at_end "rm -f /run/full; mount -o remount,size=50% /run"
mount -o remount,size=24m /run
dd if=/dev/zero of=/run/full bs=64k status=none 2>/dev/null || true
dd if=/dev/zero of=/run/full bs=512 status=none oflag=append conv=notrunc 2>/dev/null || true
not systemctl daemon-reload 2>/dev/null || say "   systemd reloads on this full /run all the same"
for action in upgrades removes installs; do holds "it $action" $action; done
rm /run/full
systemctl daemon-reload

say "--- a shutdown under way"
# As during a reboot: a stop of the worker is queued that no new job may replace.
systemctl start dormouse.target
wait_for 20 state_is dormouse@$pool.service active
systemctl --no-block --job-mode=replace-irreversibly stop dormouse@$pool.service
holds "it upgrades" upgrades
wait_for 60 asleep $pool
systemctl reset-failed 2>/dev/null || true # what was made to fail here is nothing to the cases after this one
