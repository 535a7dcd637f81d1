#!/bin/bash
# From the installed package to the first result by one command, as root, on a server that looks who is at the other end of its socket
# (peer): `dormouse setup` connects as the server's own account, the worker as its own. A second one finds all of it. Nothing is
# written over, and a pool that cannot work is not switched on.
source "$(dirname "$0")/../lib.sh"
need_worker
pool=first
use_pool $pool
for name in setup_app setup_other; do database=postgres PGOPTIONS="-c client_min_messages=warning" sql "DROP DATABASE IF EXISTS $name WITH (FORCE)"; done
socket=$PGHOST
url="postgresql:///setup_app?host=$socket"
psql_user=$PGUSER
unset PGUSER
sed -i '1i local setup_app,postgres all peer' "$postgres_data/pg_hba.conf"
systemctl reload $postgres_unit 2>/dev/null || systemctl kill --signal=HUP --kill-whom=main $postgres_unit
# shellcheck disable=SC2317 # called at the end
restore() {
    sed -i '1d' "$postgres_data/pg_hba.conf"
    systemctl kill --signal=HUP --kill-whom=main $postgres_unit
    export PGUSER=$psql_user
    database=postgres
    wait_for 20 sql "DROP DATABASE IF EXISTS setup_app WITH (FORCE)"
    sql "DROP ROLE IF EXISTS dormouse; DROP ROLE IF EXISTS dormouse_owner"
    rm -f /etc/dormouse/first.toml
}
at_end restore
as_postgres() { runuser -u postgres -- psql --no-psqlrc --quiet --no-align --tuples-only --dbname="$1" --command="$2"; }
peer_counts() { not psql --no-psqlrc --username=postgres --dbname=postgres --command="" 2>/dev/null; }
wait_for 20 peer_counts # root is not postgres, by this server

setup() { dormouse setup "$url" --create-database setup_app --pool $pool "$@"; }
holds "shows what it will do" grep -q "^sudo -u postgres psql" <<<"$(setup --dry-run)"
equal "and does nothing" "$(as_postgres postgres "SELECT count(*) FROM pg_database WHERE datname = 'setup_app'")" 0
holds "nor writes a file" [ ! -e /etc/dormouse/$pool.toml ]
setup
equal "the pool's file" "$(stat -c '%U:%G %a' /etc/dormouse/$pool.toml)" "root:dormouse 640"
holds "its switch is on" systemctl is-active --quiet dormouse@$pool.target
holds "also at boot" systemctl is-enabled --quiet dormouse@$pool.target
seen=$(cd / && runuser -u dormouse -- dormouse enqueue count '{"hello": "world"}' --wait=60s --pool $pool)
equal "the first result" "$(tail -n 1 <<<"$seen")" 18

again=$(setup)
say "$again"
equal "what a second one does" "$(grep '^# ' <<<"$again" | grep -v -e '^# there already: ' -e '^# next: ' -e '^# a try of ')" ""
# switched off by hand, it is switched on again, and the rest is there
systemctl disable --quiet --now dormouse@$pool.target
wait_for 60 asleep $pool
setup --json >/root/setup.json
equal "steps that were left" "$(python3 -c 'import json; print(*[s["step"] for s in json.load(open("/root/setup.json"))["steps"] if not s["there"]])')" "check switch"
holds "its switch is on again" systemctl is-enabled --quiet dormouse@$pool.target

before=$(cat /etc/dormouse/$pool.toml)
code=0
said=$(dormouse setup "postgresql:///setup_other?host=$socket" --create-database setup_other --pool $pool 2>&1) || code=$?
equal "a file that names another database: exit code" "$code" 9
holds "said" grep -q "is there and names another database" <<<"$said"
equal "the file" "$(cat /etc/dormouse/$pool.toml)" "$before"
equal "the other database" "$(as_postgres postgres "SELECT count(*) FROM pg_database WHERE datname = 'setup_other'")" 0

# without root nothing is begun
code=0
said=$(runuser -u nobody -- dormouse setup "$url" --pool $pool 2>&1) || code=$?
equal "somebody else: exit code" "$code" 7
holds "is told the way: $said" grep -q "sudo dormouse setup" <<<"$said"
code=0
said=$(dormouse migrate --database-url "postgresql://postgres@/setup_app?host=$socket" 2>&1) || code=$?
equal "root as another account's login: exit code" "$code" 7
holds "is told the way: $said" grep -q "sudo -u postgres dormouse" <<<"$said"
systemctl mask --quiet dormouse@$pool-masked.target
at_end systemctl unmask --quiet dormouse@$pool-masked.target
at_end rm -f /etc/dormouse/$pool-masked.toml
code=0
said=$(dormouse setup "$url" --pool $pool-masked 2>&1 >/dev/null) || code=$?
holds "a masked pool stays off: $said" [ $code != 0 ]
holds "with systemd's words" grep -q "masked" <<<"$said"
