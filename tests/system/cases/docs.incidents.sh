#!/bin/bash
# docs/incidents.md, as it is written: each incident is made to happen, the page's commands are typed, and what it shows is what is seen.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../page.sh"
need_worker
pool=default
page=$(dirname "$0")/../../../docs/incidents.md kind=incident
use_pool $pool
new_database app
mkdir -p /srv/app
cat >/srv/app/tasks.py <<'PYTHON'
import time
from dormouse import serve, task


@task
def thumbnail(payload):
    return {"bytes": 17}


@task
def report(payload):
    print("opens page 17", flush=True)
    time.sleep(payload.get("seconds", 600))


serve()
PYTHON
at_end "rm -rf /srv/app; systemctl start $postgres_unit"
configure $pool <<'TOML'
idle_exit = "2s"
look_exit = "2s"
[task.thumbnail]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/tasks.py"]
[task.report]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/tasks.py"]
TOML
only_this_pool
as_set_up
systemctl enable --quiet --now dormouse@$pool.target
wait_for 20 asleep $pool

is() { [ "$(status_of "$run")" = "$1" ]; }
tried() { [ "$(sql "SELECT count(*) FROM dormouse.attempts WHERE run_id = '$run'")" -ge 1 ]; }

systemctl disable --quiet --now dormouse@$pool.target
run=$(enqueue thumbnail "'{}'")
typed switched-off
wait_for 30 completed "$run"

run=$(enqueue report "'{\"seconds\": 0.1}'")
systemctl stop "$postgres_unit"
ring $pool
without_database() { [[ $(status_text $pool) == "no database (tries again by itself)"* ]]; }
wait_for 30 without_database
typed database-lost
systemctl start "$postgres_unit"
wait_for 60 completed "$run"

sed -i '1i import pilow' /srv/app/tasks.py
systemctl restart dormouse@$pool.service
run=$(enqueue thumbnail "'{}'")
ring $pool
wait_for 30 tried
typed import-error
sed -i 1d /srv/app/tasks.py
typed import-error-mended
wait_for 60 completed "$run"

run=$(enqueue report "'{}'")
ring $pool
wait_for 30 is running
opened() { dormouse logs "$run" | grep -q 'opens page 17'; }
wait_for 30 opened
typed stuck
wait_for 30 is canceled

run=$(enqueue report "'{}'")
ring $pool
wait_for 30 is running
typed put-back
again() { [ "$(sql "SELECT count(*) FROM dormouse.attempts WHERE run_id = '$run'")" -ge 2 ] && is running; }
wait_for 60 again
typed backlog
dormouse cancel "$run" >/dev/null
run=$(enqueue report "'{}'")
wait_for 30 is running
wait_for 20 kill_worker $pool
again() { [ "$(attempts_of "$run")" = 1 ] && is running; }
wait_for 60 again
typed dead-worker
dormouse cancel "$run" >/dev/null

sql "CREATE FUNCTION public.audited() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
         IF NEW.status = 'running' AND NEW.task = 'thumbnail' THEN RAISE EXCEPTION 'the audit table is missing'; END IF; RETURN NEW; END \$\$;
     CREATE TRIGGER audit BEFORE UPDATE ON dormouse.runs FOR EACH ROW EXECUTE FUNCTION public.audited()"
run=$(enqueue thumbnail "'{}'")
ring $pool
wait_for 30 is failed
typed fail
sql "DROP TRIGGER audit ON dormouse.runs"
typed fail-mended
wait_for 30 completed "$run"

# Those of the host are typed by docs.incidents_host.sh.
equal "incidents of the page" "$(sed -n 's/^<!-- incident: \(.*\) -->$/\1/p' "$page" | grep -v '^host-' | sort | xargs)" "$(printf '%s\n' "${told[@]}" | sort | xargs)"
