#!/bin/bash
# "From a polling pool", as it is written: the blocks of the page are taken from the page. An old table with a backlog, an old runner,
# and programs that know nothing of dormouse.
source "$(dirname "$0")/../lib.sh"
pool=default
page=$(dirname "$0")/../../../docs/from-a-polling-pool.md
block() { awk -v name="<!-- file: $1 -->" '$0 == name { found = 1; next } found && /^```/ { if (inside) exit; inside = 1; next } inside' "$page"; }
use_pool $pool
need_worker
new_database polling

# --- what the reader has: a table, a backlog, a runner that writes into the table, and a program that only inserts
sql "CREATE TABLE public.runs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, status text NOT NULL DEFAULT 'queued',
         attempts integer NOT NULL DEFAULT 0, started_at timestamptz, created_at timestamptz NOT NULL DEFAULT now());
     INSERT INTO public.runs (kind) SELECT 'old ' || n FROM generate_series(1, 20) n;
     INSERT INTO public.runs (kind, status) VALUES ('long ago', 'completed'), ('waits', 'retry'), ('stuck', 'running');
     DO \$\$ BEGIN CREATE ROLE old_app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
     GRANT SELECT, INSERT, UPDATE ON public.runs TO old_app"
mkdir -p /srv/app
cat >/srv/app/runner.py <<'PYTHON'
import os
import subprocess


def ask(sql):
    subprocess.run(["psql", "--quiet", "--no-psqlrc", os.environ["APP_DATABASE"], "-c", sql], check=True, stdout=subprocess.DEVNULL)


def mark(run, status):
    ask(f"UPDATE public.runs SET status = '{status}', attempts = attempts + ({status == 'running'})::int WHERE id = {int(run)}")


def execute(row):
    if row["kind"] == "once bad" and os.environ["DORMOUSE_ATTEMPT"] == "1":
        raise RuntimeError("the first time it fails")
    if row["kind"] == "bad for ever":
        raise RuntimeError("as always")
    return {"kind": row["kind"].upper()}
PYTHON
block handler.py >/srv/app/handler.py
echo "APP_DATABASE=postgresql://old_app@127.0.0.1/$database" >/etc/app.env

# --- what the page says
sql "$(block enqueue.sql)"
sql "$(block failed.sql)"
PGUSER=old_app sql "INSERT INTO public.runs (kind) VALUES ('between trigger and backlog')"
sql "$(block backlog.sql)"
sql "$(block backlog.sql)" # twice does no harm
equal "runs" "$(sql "SELECT count(*) FROM dormouse.runs")" 23
block default.toml | sed "s|postgresql:///app|postgresql://pool@127.0.0.1/$database|" >/etc/dormouse/default.toml
printf '[worker]\nidle_exit = "1s"\nlook_exit = "1s"\n' >>/etc/dormouse/default.toml
sed -i 's/^max_attempts.*/&\nbackoff = { base = "1ms", max = "1ms" }/' /etc/dormouse/default.toml
drop_in $pool old-settings <<'DROPIN'
[Service]
Environment=WORKER_CONCURRENCY=2 WORKER_POLL_INTERVAL=2 WORKER_MAX_LOOPS=100
DROPIN
sudo() { "$@"; }
eval "$(block switch-on.sh)"
backlog_done() { [ "$(sql "SELECT count(*) FROM public.runs WHERE status <> 'completed'")" = 0 ]; }
wait_for 60 backlog_done
wait_for 60 all_completed
equal "each row executed once" "$(sql "SELECT count(*) FROM public.runs WHERE attempts = 1")" 23
equal "a result" "$(sql "SELECT result ->> 'kind' FROM dormouse.runs WHERE payload ->> 'kind' = 'old 7'")" "OLD 7"
holds "WORKER_POLL_INTERVAL is warned of" journalctl --quiet --unit=dormouse@default.service --since="$case_began" --grep=WORKER_POLL_INTERVAL

# --- the old program goes on as it was; what it rolls back is nothing
PGUSER=old_app sql "INSERT INTO public.runs (kind) VALUES ('once bad'), ('new')"
PGUSER=old_app sql "BEGIN; INSERT INTO public.runs (kind) VALUES ('never'); ROLLBACK"
ring $pool
wait_for 60 backlog_done
wait_for 60 all_completed
equal "runs" "$(sql "SELECT count(*) FROM dormouse.runs")" 25
equal "attempts of the one that failed first" "$(sql "SELECT attempts FROM public.runs WHERE kind = 'once bad'")" 2

# --- what fails for good is failed in both, and is compared; what is set back starts again, also what is at its first
compare() { sql "$(block compare.sql)"; }
equal "no difference" "$(compare)" ""
PGUSER=old_app sql "INSERT INTO public.runs (kind) VALUES ('bad for ever')"
ring $pool
is() { [ "$(sql "SELECT status FROM public.runs WHERE kind = '$1'")" = "$2" ]; }
wait_for 60 is 'bad for ever' failed
failed_run() { [ "$(sql "SELECT status FROM dormouse.runs WHERE task = 'legacy' AND payload ->> 'kind' = 'bad for ever'")" = failed ]; }
wait_for 20 failed_run
equal "no difference after a failure" "$(compare)" ""
sql "UPDATE public.runs SET status = 'completed' WHERE kind = 'bad for ever'"
equal "a difference" "$(compare | cut -d'|' -f1-3)" "completed|failed|1"
PGUSER=old_app sql "UPDATE public.runs SET kind = 'good now', status = 'queued' WHERE kind IN ('bad for ever', 'new')"
good() { [ "$(sql "SELECT count(*) FROM public.runs WHERE kind = 'good now' AND status = 'completed'")" = 2 ]; }
ring $pool
wait_for 60 good
wait_for 60 all_completed
equal "no difference after a reset" "$(compare)" ""
rm -r /srv/app /etc/app.env /etc/dormouse/default.toml
