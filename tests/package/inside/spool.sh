#!/bin/bash
# Sourced by newcomer.sh: a run that is enqueued while there is no database, and one that somebody writes by hand.
put_to_sleep
cluster=$(systemctl list-units --plain --no-legend --state=active 'postgresql@*.service' | cut -d' ' -f1) # its name has the version
systemctl stop "$cluster"
id=$(enqueue count '"spooled"' --spool)
systemctl start "$cluster"
wait_for 60 completed "$id"
say "ok: by dormouse enqueue --spool, while the database was down"

put_to_sleep
id=$(cat /proc/sys/kernel/random/uuid)
# A name that begins with a dot is one still being written.
sudo -u dormouse sh -euc "cd /var/spool/dormouse/default; echo '{\"task\": \"count\", \"payload\": \"by hand\"}' >.$id.json; mv .$id.json $id.json"
wait_for 60 completed "$id"
say "ok: by a file written by hand"

put_to_sleep
useradd --groups dormouse-spool ann # docs/doorbells.md, "Who may"
id=$(runuser -u ann -- dormouse enqueue count '"from ann"' --spool --pool default)
wait_for 60 completed "$id"
say "ok: by another user of the group"
equal "files left in the spool" "$(ls -A /var/spool/dormouse/default)" ""
