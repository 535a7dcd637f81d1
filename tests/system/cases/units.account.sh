#!/bin/bash
# docs/several-pools.md: a pool with an account of its own, by the commands of the page. Its runs are that account's; it gets at no file, process, spool or
# login of the other pools, nor they at its own; its doorbells, timer, spool, wake file, relay and metrics are as every pool's.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/../page.sh"
need_worker
page=$(dirname "$0")/../../../docs/several-pools.md kind=typed
psql_user=$PGUSER
# The pool beside it, as `dormouse setup` leaves it.
pool=beside
use_pool $pool
new_database beside
beside=$database
configure $pool <<'TOML'
idle_exit = "10min"
look_exit = "10min"
TOML
only_this_pool
cp -p "$postgres_data/pg_hba.conf" /root/pg_hba.account
as_set_up
sql "REVOKE CONNECT ON DATABASE $beside FROM PUBLIC; GRANT CONNECT ON DATABASE $beside TO dormouse"
systemctl start dormouse@$pool.target
holder=$(enqueue slow)
ring $pool
is_running() { [ "$(status_of "$1")" = running ]; }
wait_for 20 is_running "$holder"
wait_for 20 completed "$holder"
touch /var/spool/dormouse/beside/.theirs
chown dormouse: /var/spool/dormouse/beside/.theirs

pool=tenant
use_pool $pool
# shellcheck disable=SC2317 # called at the end
restore() {
    stop_pool tenant
    systemctl stop dormouse-relay@tenant.service
    systemctl disable --quiet --now dormouse@tenant.target dormouse-relay@tenant.service run-dormouse.wake.mount
    rm -rf /etc/systemd/system/dormouse{,-relay,-alert}@tenant.service.d /etc/dormouse/tenant.toml /var/lib/dormouse/tenant /var/spool/dormouse/tenant{,.rejected}
    systemctl daemon-reload
    export PGHOST=127.0.0.1 PGUSER=$psql_user
    database=postgres
    sql "DROP DATABASE IF EXISTS tenant WITH (FORCE)"
    sql "DROP DATABASE IF EXISTS beside WITH (FORCE)"
    sql "DROP ROLE IF EXISTS tenant"
    sql "DROP ROLE IF EXISTS dormouse_owner"
    userdel tenant
}
at_end restore
userdel tenant 2>/dev/null || true
sed -i '1i local tenant,postgres postgres,tenant peer' "$postgres_data/pg_hba.conf" # the server looks who is at the other end
at_end "cp -p /root/pg_hba.account $postgres_data/pg_hba.conf; systemctl kill --signal=HUP --kill-whom=main $postgres_unit"
systemctl kill --signal=HUP --kill-whom=main "$postgres_unit"
peer_for_tenants() { not psql --no-psqlrc --username=postgres --dbname=postgres --command="" 2>/dev/null; }
wait_for 20 peer_for_tenants
commands=$(block account)
say "$commands"
(unset PGHOST PGUSER; export -f sudo; bash -euc "$commands") || fail "does not work as typed"
told+=(account)
export PGHOST=127.0.0.1 # trusted there, whatever the socket asks
database=tenant
equal "the pool's file" "$(stat -c '%U:%G %a' /etc/dormouse/tenant.toml)" "root:tenant 640"
cat >>/etc/dormouse/tenant.toml <<'TOML'
[worker]
idle_exit = "1s"
look_exit = "1s"
[metrics]
listen = "/run/dormouse/tenant/metrics.sock"
[task.who]
command = ["/bin/sh", "-c", '''printf '"%s %s"' "$(id -un)" "$(stat -c %U:%a "$HOME")"; touch "$HOME/mine"''']
[task.held]
command = ["/bin/sh", "-c", 'until [ -e "$HOME/go" ]; do sleep 0.1; done']
[task.spies]
command = ["/bin/bash", "-c", '''
seen() { printf '%s ' "$*" >&2; }
for path in /etc/dormouse/beside.toml /var/lib/dormouse/beside /var/spool/dormouse/beside /var/spool/dormouse/beside/.theirs /run/dormouse.wake; do
    { [ -d "$path" ] && ls "$path" || cat "$path"; } >/dev/null 2>&1 && seen "reads $path"
    touch "$path/x" 2>/dev/null && seen "writes $path"
done
grep -l dormouse /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do
    owner=$(stat -c %U "${file%/cmdline}" 2>/dev/null) || continue
    [ "$owner" = tenant ] || seen "sees $file of $owner"
done
@psql@ --no-psqlrc --dbname="host=/run/postgresql dbname=beside user=dormouse" --command="" 2>/dev/null && seen "is dormouse there"
@psql@ --no-psqlrc --dbname="host=/run/postgresql dbname=beside user=tenant" --command="" 2>/dev/null && seen "gets into the database beside"
@psql@ --no-psqlrc --quiet --dbname="host=/run/postgresql dbname=tenant user=tenant" --command="" || seen "does not get into its own"
echo 1''']
TOML
sed -i "s|@psql@|$psql_program|" /etc/dormouse/tenant.toml
use_own() { dormouse "$@" --pool tenant; }
wait_for 30 asleep tenant

say "--- rung"
run=$(use_own enqueue who)
wait_for 20 completed "$run"
equal "the run's account, and its state directory" "$(sql "SELECT result #>> '{}' FROM dormouse.runs WHERE id = '$run'")" "tenant tenant:700"
run=$(use_own enqueue spies)
wait_for 20 completed "$run"
equal "what its handlers get at" "$(sql "SELECT string_agg(text, ' ') FROM dormouse.logs_of('$run')")" ""

say "--- and the other way round"
for path in /etc/dormouse/tenant.toml /var/lib/dormouse/tenant /var/spool/dormouse/tenant /var/spool/dormouse/tenant.rejected; do
    holds "the account of the others gets at $path" not runuser -u dormouse -- sh -c "{ test -d $path && ls $path || cat $path; } >/dev/null 2>&1"
done

say "--- metrics, while it is awake"
held=$(use_own enqueue held)
wait_for 20 is_running "$held"
equal "the worker is" "$(stat -c %U "/proc/$(property dormouse@tenant.service MainPID)")" tenant
holds "metrics" grep -q '^dormouse_slots_busy{pool="tenant"} 1' <<<"$(curl --silent --unix-socket /run/dormouse/tenant/metrics.sock http://x/metrics)"
touch /var/lib/dormouse/tenant/go
wait_for 20 completed "$held"

say "--- the timer of what is due: armed by root, for a due file of that account"
wait_for 20 asleep tenant
run=$(PGOPTIONS="-c dormouse.notify=off" enqueue who "delay => interval '6 s'")
ring tenant
wait_for 20 armed_count_is tenant 1
wait_for 30 completed "$run"

say "--- spooled"
wait_for 20 asleep tenant
id=$(cat /proc/sys/kernel/random/uuid)
use_own enqueue who --spool >/dev/null
printf '{"task": "who"}' >/var/spool/dormouse/tenant/.x
mv /var/spool/dormouse/tenant/.x "/var/spool/dormouse/tenant/$id.json"
wait_for 20 completed "$id"
wait_for 20 all_completed
printf 'no json' >/var/spool/dormouse/tenant/bad.json
wait_for 30 test -e /var/spool/dormouse/tenant.rejected/bad.json

say "--- by the relay"
wait_for 20 asleep tenant
systemctl start dormouse-relay@tenant.service
listens() { [[ $(property dormouse-relay@tenant.service StatusText) == "listens at "* ]]; }
wait_for 20 listens
equal "the relay is" "$(stat -c %U "/proc/$(property dormouse-relay@tenant.service MainPID)")" tenant
run=$(enqueue who)
wait_for 20 completed "$run"
systemctl stop dormouse-relay@tenant.service

say "--- by Postgres on this host"
systemctl enable --quiet --now run-dormouse.wake.mount
systemctl restart dormouse@tenant.target
wait_for 20 asleep tenant
line=$(grep -o 'cd / && sudo -u postgres -g tenant dormouse migrate --local-wake [^`]*' "$page")
(unset PGHOST PGUSER; cd / && setpriv --reuid=postgres --regid=tenant --clear-groups -- sh -c "${line#*-g tenant }") || fail "local wake is not installed"
run=$(enqueue who)
wait_for 20 completed "$run"

say "--- root's commands"
unset PGHOST PGUSER
holds "status" grep -q '^tenant ' <<<"$(dormouse status --pool tenant)"
holds "worker --check" grep -q '^handlers  *ok' <<<"$(dormouse worker tenant --check)"
seen=$(dormouse doctor 2>/dev/null || true)
holds "doctor leaves it out and says so" grep -q "note .*pool tenant: its worker is the account tenant.*dormouse doctor --pool tenant" <<<"$seen"
holds "… and finds nothing else about it" not grep -v '^note' <(grep 'pool tenant' <<<"$seen")
seen=$(dormouse doctor --pool tenant 2>/dev/null || true)
holds "doctor of that pool looks at it" grep -q '^ok .*pool tenant: handlers' <<<"$seen"
equal "and finds nothing failed" "$(grep '^failed' <<<"$seen" || true)" ""
export PGHOST=127.0.0.1 PGUSER=$psql_user
all_typed
