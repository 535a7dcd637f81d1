#!/bin/bash
# The path unit never dies, whatever lies in the spool or becomes of its disk; afterwards a good file still wakes the pool.
source "$(dirname "$0")/../lib.sh"
pool="spool-trouble"
new_pool $pool
wait_for 20 asleep $pool
spool=/var/spool/dormouse/$pool
put() { # put NAME TEXT
    printf '%s' "$2" >"$spool/.$1"
    mv "$spool/.$1" "$spool/$1"
}
good_one_wakes() { # good_one_wakes WHAT
    local id
    id=$(cat /proc/sys/kernel/random/uuid)
    put "$id.json" '{"task": "work"}'
    wait_for 30 completed "$id"
    wait_for 30 asleep $pool
    equal "$1: path unit" "$(property dormouse@$pool.path SubState)" waiting
}
status_says() { status_text $pool | grep -q "$1"; }
unmounted() { umount $spool 2>/dev/null; }

# --- what people put there
touch --date='2 minutes ago' $spool/empty.json
mkdir $spool/directory.json $spool/plain-directory
ln -s /etc/shadow $spool/link.json
ln -s nowhere $spool/dangling.json
mkfifo $spool/pipe.json
truncate --size=100M $spool/huge.json
install -m 0600 -o root /dev/null $spool/roots.json
wait_for 30 spool_is_empty
wait_for 30 asleep $pool
equal "put aside" "$(cd $spool.rejected && printf '%s ' *.json)" "dangling.json empty.json huge.json link.json pipe.json roots.json "
equal "somebody else's directory" "$(cd $spool && printf '%s ' *)" "directory.json.rejected directory.json.rejected.reason plain-directory "
say "$(cd $spool.rejected && head -n 1 -- *.reason)"
good_one_wakes "after what people put there"

# --- a spool in which nothing of somebody else can be moved: the worker stays, says so, and leaves when that is gone
chown root $spool
chmod 3770 $spool
printf 'no json' >$spool/stuck.json
wait_for 30 status_says 'neither imported nor moved'
say "$(status_text $pool)"
before=$(activations $pool)
first=$(cat /proc/sys/kernel/random/uuid)
runuser -u dormouse -- bash -c "printf '{\"task\": \"work\"}' >$spool/.$first.json && mv $spool/.$first.json $spool/$first.json"
wait_for 30 completed "$first"
rm $spool/stuck.json
wait_for 60 asleep $pool
equal "activations meanwhile" $(($(activations $pool) - before)) 0
chown dormouse $spool
chmod 3770 $spool
good_one_wakes "after a file that could not be moved"

# --- a full disk: what lies there is imported and removed all the same
mount -t tmpfs -o size=64k,mode=3770,uid="$(id -u dormouse)",gid="$(getent group dormouse-spool | cut -d: -f3)" tmpfs $spool
put "$(cat /proc/sys/kernel/random/uuid).json" '{"task": "work"}'
put bad.json 'no json'
dd if=/dev/zero of=$spool/filler bs=4k 2>/dev/null || true
systemctl start dormouse@$pool.service
wait_for 30 all_completed
# it is another file system, so that what is bad cannot be moved into the directory beside it
wait_for 30 test -e $spool/bad.json.rejected
wait_for 60 asleep $pool
good_one_wakes_later=$(cat /proc/sys/kernel/random/uuid)
rm $spool/filler
put "$good_one_wakes_later.json" '{"task": "work"}'
wait_for 30 completed "$good_one_wakes_later"
wait_for 30 asleep $pool
say "ok: after a full disk"

# --- read-only: a file with an id is imported once and stays; the worker stays awake for it
id=$(cat /proc/sys/kernel/random/uuid)
systemctl stop dormouse@$pool.target
wait_for 30 asleep $pool
put "$id.json" '{"task": "work"}'
mount -o remount,ro $spool
mount -o remount,bind,rw $spool # the disk is, not the mount: that would be copied into the sandbox for good
systemctl start dormouse@$pool.target
wait_for 30 completed "$id"
wait_for 30 status_says 'cannot be removed'
say "$(status_text $pool)"
equal "runs of that file" "$(sql "SELECT count(*) FROM dormouse.runs WHERE id = '$id'")" 1
mount -o remount,rw $spool
touch "$spool/$id.json"
wait_for 60 asleep $pool
wait_for 10 unmounted
good_one_wakes "after a read-only disk"
