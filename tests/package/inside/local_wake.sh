#!/bin/bash
# Sourced by newcomer.sh: plain SQL, on the host of the database, wakes a sleeping pool.
systemctl enable --quiet --now run-dormouse.wake.mount
(cd / && sudo -u postgres -g dormouse dormouse migrate --local-wake --database-url postgresql:///app)
put_to_sleep
id=$(sql "SELECT dormouse.enqueue('count', '\"local wake\"')")
wait_for 20 completed "$id"
say "ok: by plain SQL"
