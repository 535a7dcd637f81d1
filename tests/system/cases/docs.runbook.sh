#!/bin/bash
# docs/runbook.md, as it is written: each step's commands are typed, and what it shows is what is seen.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../page.sh"
need_worker
pool=default
page=$(dirname "$0")/../../../docs/runbook.md kind=step
use_pool $pool
new_database app
mkdir -p /srv/app
cat >/srv/app/report.py <<'PYTHON'
import os
import time

from dormouse import serve, task


@task
def report(payload):
    while os.path.exists("/srv/app/hold"):
        time.sleep(0.1)  # sleep: this is what a handler does, until the file is gone
    return {"pages": 1}


@task
def broken(payload):
    raise ValueError("page 17 is missing")


serve()
PYTHON
at_end "rm -rf /srv/app /tmp/dormouse.sql"
configure $pool <<'TOML'
concurrency = 2
idle_exit = "2s"
look_exit = "2s"
[task.report]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/report.py"]
[task.broken]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/report.py"]
max_attempts = 1
TOML
only_this_pool
as_set_up
pg_dump() { "$(postgres_bin)/pg_dump" "$@"; }
systemctl enable --quiet --now dormouse@$pool.target
wait_for 20 asleep $pool
is() { [ "$(status_of "$run")" = "$1" ]; }
held() { # a run at work, until the file is gone
    touch /srv/app/hold
    run=$(enqueue report "'{}'")
    ring $pool
    wait_for 30 is running
}
let_go() {
    rm -f /srv/app/hold
    wait_for 30 is completed
}

typed alive
systemctl stop dormouse@$pool.target dormouse@$pool.service
run=$(enqueue report "'{}'")
typed waits
systemctl start dormouse@$pool.target
wait_for 30 is completed
typed stop
typed start
typed graceful
held
sed -i 's|/srv/app/hold|/srv/app/none|' /srv/app/report.py # what comes now is not held
typed deploy
let_go
sed -i 's|/srv/app/none|/srv/app/hold|' /srv/app/report.py
wait_for 30 asleep $pool # nobody is left who does not look for the file
typed scale
held
typed stuck
wait_for 30 is canceled
rm -f /srv/app/hold
wait_for 30 asleep $pool
run=$(enqueue report "'{}'") # and nobody rings
typed by-hand
typed reap
run=$(enqueue broken "'{}'")
ring $pool
wait_for 30 is failed
typed failed
typed database
typed backup
typed versions
all_typed
