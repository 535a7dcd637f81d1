#!/bin/bash
# The schema is migrated by a later release while a worker is awake: where it still serves this one, what runs and what comes goes on, also over a session that
# begins afterwards. Where it does not, or is older than this release needs, the next session is refused with what to do, no run is lost, and the worker goes on
# by itself once it fits. As `dormouse migrate` does it: a row of dormouse.migrations and what it says, in one transaction.
source "$(dirname "$0")/../lib.sh"
pool=migrated
new_pool $pool 'idle_exit = "10min"
look_exit = "10min"
[task.held]
command = ["/bin/sh", "-c", "until [ -e /run/dormouse/migrated/go ]; do sleep 0.1; done"]'
sed -i 's/^lease = .*/lease = "10min"/' /etc/dormouse/$pool.toml # what is at work waits for the schema to fit again
systemctl restart dormouse@$pool.service
wait_for 20 has_session
held=$(enqueue held)
ring $pool
is_running() { [ "$(status_of "$held")" = running ]; }
wait_for 20 is_running
executes() { # executes WHAT
    local run
    run=$(enqueue work)
    ring $pool
    wait_for 30 completed "$run"
    say "ok: $1 a run is executed"
}
new_session() { sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'pool' AND datname = '$database'" >/dev/null; }
url="postgresql:///$database?host=$PGHOST"
says_like() { status_text $pool | grep -q "$1"; }
refuses() { # refuses WHAT WORDS: the commands, and the worker's next session
    local said code=0
    said=$(dormouse runs --database-url "$url" 2>&1) || code=$?
    equal "$1: exit code" "$code" 8
    holds "$1: $said" grep -q "$2" <<<"$said"
    new_session
    wait_for 30 says_like "$2"
    say "   $(status_text $pool)"
}

sql "BEGIN; INSERT INTO dormouse.migrations (version, name, checksum, oldest_release) VALUES (9999, '9999_later', 'x', '0.1.0');
     ALTER TABLE dormouse.runs ADD COLUMN later text DEFAULT 'x'; COMMIT"
executes "after a migration that serves this release"
new_session
executes "over a session that began after it"
holds "migrate has nothing to do" dormouse migrate --check --database-url "$url"
equal "what was at work" "$(status_of "$held")" running

sql "UPDATE dormouse.migrations SET oldest_release = '99.0.0' WHERE version = 9999"
executes "over a session that is there"
refuses "a schema that serves later releases alone" "install a later release"
touch /run/dormouse/$pool/go # it ends meanwhile
waits=$(enqueue work)
sql "UPDATE dormouse.migrations SET oldest_release = '0.1.0' WHERE version = 9999"
wait_for 30 completed "$held"
wait_for 30 completed "$waits"

sql "DELETE FROM dormouse.migrations WHERE version = 9999; UPDATE dormouse.migrations SET version = 0 WHERE version = 1"
refuses "a schema that is older" "run .dormouse migrate."
waits=$(enqueue work)
sql "UPDATE dormouse.migrations SET version = 1 WHERE version = 0"
wait_for 30 completed "$waits"
equal "attempts of all" "$(sql "SELECT string_agg(DISTINCT outcome, ' ') FROM dormouse.attempts")" completed
equal "restarts of the worker" "$(property dormouse@$pool.service NRestarts)" 0
