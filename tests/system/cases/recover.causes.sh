#!/bin/bash
# Nothing disables a pool. Each cause is there while a ring waits; the worker says what is wrong; when the cause is gone the run
# completes with nobody's help.
source "$(dirname "$0")/../lib.sh"
pool=causes
new_pool $pool
config=/etc/dormouse/$pool.toml
wait_for 20 asleep $pool
says() { [[ $(status_text $pool) == *"$1"* ]]; }
recovers() { # recovers WHAT: after the cause is gone
    wait_for 60 completed "$run"
    say "ok: $1"
    wait_for 60 asleep $pool
    equal "   doorbell" "$(property dormouse@$pool.socket ActiveState)" active
}

cat >>$config <<'TOML'
[task.tool]
handler = "exec"
command = ["/opt/dormouse-test/tool"]
max_attempts = 1000
backoff = { base = "200ms", max = "500ms" }
TOML
run=$(enqueue tool "max_attempts => 1000")
ring $pool
tried() { [ "$(sql "SELECT count(*) FROM dormouse.attempts WHERE run_id = '$run'")" -ge 2 ]; }
wait_for 20 tried
install -D -m 0755 /bin/true /opt/dormouse-test/tool
recovers "handler binary missing"
rm -r /opt/dormouse-test

cp $config /etc/dormouse-good
echo 'nonsense = [' >>$config
run=$(enqueue work)
ring $pool
wait_for 20 says "waits for a configuration"
say "   $(status_text $pool)"
cp /etc/dormouse-good $config
recovers "config broken"

# A file of its own beside the pool's, because libpq wants to see that nobody else can read it.
sql "DROP ROLE IF EXISTS password_needed; CREATE ROLE password_needed LOGIN PASSWORD 'other' IN ROLE dormouse_worker"
echo '*:*:*:password_needed:right' >/etc/dormouse/$pool.pass
chown dormouse /etc/dormouse/$pool.pass
chmod 0600 /etc/dormouse/$pool.pass
sed -i "s|^url = .*|url = \"postgresql://password_needed@127.0.0.1/$database?passfile=/etc/dormouse/$pool.pass\"|" $config
run=$(enqueue work)
ring $pool
wait_for 20 says "password"
say "   $(status_text $pool)"
sql "ALTER ROLE password_needed PASSWORD 'right'"
recovers "wrong password"
cp /etc/dormouse-good $config

sed -i "s|^url = .*|url = \"postgresql://pool@127.0.0.1/causes_empty\"|" $config
database=postgres sql "DROP DATABASE IF EXISTS causes_empty WITH (FORCE)"
database=postgres sql "CREATE DATABASE causes_empty"
database=causes_empty
ring $pool
wait_for 20 says "schema"
say "   $(status_text $pool)"
dormouse migrate --database-url "postgresql:///causes_empty?host=$PGHOST" >/dev/null
run=$(enqueue work)  # before the worker may look: one that finds nothing leaves at once
dormouse migrate --roles --database-url "postgresql:///causes_empty?host=$PGHOST" >/dev/null
recovers "schema missing"
