#!/bin/bash
# The spool is a level: a file is imported whatever the worker is doing when it comes, and a plain program can write one.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../level.sh"
pool=spool-level
use_pool $pool
no_rescue
need_worker
new_database $pool
configure $pool <<<"$short"
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
equal "the spool" "$(stat --format='%U %G %a' /var/spool/dormouse/$pool)" "dormouse dormouse-spool 3770"
# Not through the command line: any program can do this.
send() { put_file "$1"; }
level_phases
wait_for 20 asleep $pool
equal "files left" "$(find /var/spool/dormouse/$pool -type f | wc -l)" 0

# With the command line, by a user who is in the group and has no way to the database.
useradd --no-create-home spooler 2>/dev/null || true
usermod --append --groups dormouse-spool spooler
run=$(runuser -u spooler -- dormouse enqueue work --spool --pool $pool)
wait_for 20 completed "$run"
say "ok: spooled by a member of the group"
useradd --no-create-home stranger 2>/dev/null || true
refused=$(runuser -u stranger -- dormouse enqueue work --spool --pool $pool 2>&1) && fail "a stranger could spool"
say "ok: $refused"
