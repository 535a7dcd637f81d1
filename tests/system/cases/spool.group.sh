#!/bin/bash
# Whoever is in the group of the spool may put runs there, and the worker, which makes the spool inside its sandbox, can read them.
source "$(dirname "$0")/../lib.sh"
pool=spool-group
user=spooler
need_worker
rm -rf "/var/spool/dormouse/$pool"
id $user >/dev/null 2>&1 || useradd --groups dormouse-spool $user
new_pool $pool
wait_for 20 asleep $pool
equal "the spool" "$(stat -c '%U %G %a' /var/spool/dormouse/$pool)" "dormouse dormouse-spool 3770"
id=$(runuser -u $user -- dormouse enqueue work --spool --pool $pool)
wait_for 20 completed "$id"
equal "files left" "$(ls -A /var/spool/dormouse/$pool)" ""
