#!/bin/bash
# arm64.sh PACKAGES: run as root in an arm64 Debian without a running systemd; everything in it is of that architecture.
source "$(dirname "$0")/lib.sh"
equal "machine" "$(uname -m)" aarch64

step "install"
apt install "$(compgen -G "$1/dormouse_*.deb")" "$(compgen -G "$1/python3-dormouse_*.deb")"
say "   $(dormouse --version)"

step "a Postgres"
bin=$(compgen -G '/usr/lib/postgresql/*/bin')
install -d -o postgres /tmp/db
as_postgres() { (cd / && runuser -u postgres -- "$@"); }
as_postgres "$bin/initdb" --pgdata=/tmp/db --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/tmp/initdb.log
printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '/tmp/db'" "fsync = off" >>/tmp/db/postgresql.conf
as_postgres "$bin/pg_ctl" --pgdata=/tmp/db --wait --timeout=120 --log=/tmp/db/log start >/dev/null
url="postgresql://postgres@/postgres?host=/tmp/db"
dormouse migrate --database-url "$url" >/tmp/migrate.log 2>&1 || { cat /tmp/migrate.log; fail "migrate"; }

step "a pool with a program, and with a function in Python"
install -d /srv/app
cp "$tree/examples/handlers/hello.py" /srv/app/hello.py
cat >/etc/dormouse/default.toml <<TOML
[database]
url = "$url"
[task.count]
command = ["/usr/bin/wc", "-c"]
[task.hello]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/hello.py"]
TOML
chmod 755 /tmp/db # the worker's user reaches the socket
runuser -u dormouse -- dormouse worker default >/tmp/worker.log 2>&1 &
worker=$!
on_end() {
    local code=$?
    [ "$code" = 0 ] || tail -n 40 /tmp/worker.log /tmp/db/log
    kill "$worker" 2>/dev/null || true
    as_postgres "$bin/pg_ctl" --pgdata=/tmp/db --mode=immediate stop >/dev/null 2>&1 || true
}
trap on_end EXIT
result_of() { runuser -u dormouse -- dormouse enqueue "$@" --wait=120s 2>/tmp/enqueue.log | tail -n 1; }
equal "a run of a program" "$(result_of count '{"hello": "world"}')" 18
equal "a run of a function in Python" "$(result_of hello '{"name": "arm64"}')" '{"hello": "arm64"}'
status_of() { as_postgres psql -XAtq -h /tmp/db -c "SELECT string_agg(DISTINCT status, ' ') FROM dormouse.runs"; }
equal "what the runs are" "$(status_of)" completed
kill -TERM "$worker"
code=0
wait "$worker" || code=$?
equal "the worker's exit code, told to stop" "$code" 0

step "unit_tests"
(cd / && "$tree/build/dev-arm64/tests/unit_tests" --log_level=test_suite --color_output=no) >/tmp/unit.log 2>&1 && code=0 || code=$?
grep -E 'error: |fatal error|No errors|failures? (is|are)' /tmp/unit.log | tail -n 60
exit "$code"
