#!/bin/bash
# A database that cannot serve just now: no connection to spare, a full disk, the session ended again and again. The worker stays, says
# why, keeps the results it has, and goes on by itself; database_lost and database_back are said once each.
source "$(dirname "$0")/../lib.sh"
pool=database
need_worker
use_pool $pool
systemctl start dormouse.target
# A Postgres of this case alone, on a small disk.
data=/var/lib/dormouse-test-small
mkdir -p $data
mountpoint --quiet $data || mount -t tmpfs -o size=120m tmpfs $data
at_end "systemctl stop dormouse-test-small.service; umount $data"
install -d -o postgres -m 0700 $data/pg
runuser -u postgres -- "$(postgres_bin)/initdb" --pgdata=$data/pg --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
cat >>$data/pg/postgresql.conf <<CONF
listen_addresses = '127.0.0.1'
port = 5433
unix_socket_directories = ''
max_connections = 8
superuser_reserved_connections = 3
max_wal_size = 32MB
min_wal_size = 32MB
CONF
cat >/etc/systemd/system/dormouse-test-small.service <<UNIT
[Service]
Type=notify
User=postgres
ExecStart=$(postgres_bin)/postgres -D $data/pg
Restart=always
RestartSec=1s
StartLimitIntervalSec=0
KillSignal=SIGINT
UNIT
systemctl daemon-reload
systemctl start dormouse-test-small.service
export PGHOST=127.0.0.1 PGPORT=5433
database=postgres
url=postgresql://postgres@127.0.0.1:5433/postgres
dormouse migrate --database-url $url >/dev/null
dormouse migrate --roles --database-url $url >/dev/null
sql "CREATE ROLE pool LOGIN IN ROLE dormouse_worker"
configure $pool "postgresql://pool@127.0.0.1:5433/postgres" <<'TOML'
idle_exit = "2s"
look_exit = "2s"
[task.big]
command = ["/bin/sh", "-c", "sleep 2; printf '\"'; head -c 600000 /dev/urandom | base64 -w0; printf '\"'"]
TOML
sed -i 's/^lease = .*/lease = "60s"/' /etc/dormouse/$pool.toml
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool
says() { [[ $(status_text $pool) == *"$1"* ]]; }

# --- no connection to spare
fillers=()
for ((i = 0; i < 12; i++)); do # more than fit
    psql --no-psqlrc --quiet --dbname=postgres --username=pool --command="SELECT pg_sleep(600)" >/dev/null 2>&1 &
    fillers+=($!)
done
full() { ! psql --no-psqlrc --quiet --dbname=postgres --username=pool --command="SELECT 1" >/dev/null 2>&1; }
wait_for 20 full
now_is_then
run=$(enqueue work)
ring $pool
wait_for 20 says "no database"
say "   $(status_text $pool)"
kill "${fillers[@]}" 2>/dev/null || true
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()" >/dev/null
wait_for 30 completed "$run"
one_outage $pool
say "ok: too many connections"
wait_for 20 asleep $pool

# --- the disk is full while a run is at work: its result is kept and written when there is room
now_is_then
run=$(enqueue big)
ring $pool
running() { [ "$(status_of "$run")" = running ]; }
wait_for 20 running
dd if=/dev/zero of=$data/filler bs=64k 2>/dev/null || true
wait_for 30 says "No space left"
say "   $(status_text $pool)"
rm $data/filler
wait_for 60 completed "$run"
equal "attempts" "$(attempts_of "$run")" 1
one_outage $pool
equal "the result is whole" "$(sql "SELECT length(result::text) FROM dormouse.runs WHERE id = '$run'")" 800002
say "ok: disk full"
wait_for 60 asleep $pool

# --- the session is ended while a run is at work
now_is_then
run=$(enqueue slow)
ring $pool
wait_for 20 running
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'pool'" >/dev/null
wait_for 60 completed "$run"
equal "attempts" "$(attempts_of "$run")" 1
one_outage $pool
equal "one run's story, by its field" "$(journalctl --quiet --no-pager --output=cat --output-fields=DORMOUSE_EVENT "DORMOUSE_RUN_ID=$run" | tr '\n' ' ')" \
    "run_dispatched run_completed "
