#!/bin/bash
# The five minutes of README, but for the installation, and docs/setup.md's way by hand: each command as it is written, one after the other,
# on a Postgres with its socket where Debian has it, which looks who is at the other end (peer).
source "$(dirname "$0")/../lib.sh"
need_worker
docs=$(cd "$(dirname "$0")/../../.." && pwd)
pool=default
use_pool $pool
rm -f /etc/dormouse/*.toml
at_end rm -f /etc/dormouse/default.toml /usr/local/bin/sudo
cat >/usr/local/bin/sudo <<'SUDO'
#!/bin/sh
if [ "$1" = -u ]; then user=$2; shift 2; exec runuser -u "$user" -- "$@"; fi
exec "$@"
SUDO
chmod +x /usr/local/bin/sudo
mkdir -p /run/postgresql
chmod 755 /run/postgresql
ln -sf "$PGHOST/.s.PGSQL.5432" /run/postgresql/
at_end rm -f /run/postgresql/.s.PGSQL.5432
reload() { systemctl kill --signal=HUP --kill-whom=main $postgres_unit; }
sed -i '1i local app,postgres all peer' "$postgres_data/pg_hba.conf"
reload
admin="env PGHOST=127.0.0.1 PGUSER=postgres" # trusted there, whatever the socket asks
own() { $admin psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname="${2:-postgres}" --command="$1"; }
unset PGHOST PGUSER
useradd --system you 2>/dev/null || true # who types the page
at_end userdel you
export USER=you
peer_counts() { not psql --no-psqlrc --username=postgres --dbname=postgres --command="" 2>/dev/null; }
wait_for 20 peer_counts
without() { # as if nobody had set up anything
    stop_pool default
    systemctl disable --quiet dormouse@default.target
    rm -f /etc/dormouse/default.toml
    own "DROP DATABASE IF EXISTS app WITH (FORCE)"
    for role in dormouse dormouse_owner you; do own "DROP ROLE IF EXISTS $role"; done
}
# shellcheck disable=SC2317 # called at the end
restore() {
    sed -i '1d' "$postgres_data/pg_hba.conf"
    reload
    without
}
at_end restore
without

# step NUMBER LANGUAGE: the code of that language in the README's five minutes below "**NUMBER.".
step() {
    awk -v step="**$1. " -v fence="\`\`\`$2" '
        /^## / { inside = ($0 == "## Five minutes"); here = 0 }
        inside && /^\*\*[0-9]+\. / { here = (index($0, step) == 1) }
        /^```/ { block = !block; wanted = (block && $0 == fence); next }
        here && block && wanted { print }' "$docs/README.md"
}
# marked NAME: the blocks of docs/setup.md below a line <!-- typed: NAME -->.
marked() { awk -v name="<!-- typed: $1 -->" '$0 == name { found = 1; next } /^```/ { if (inside) { inside = 0; found = 0 } else inside = found; next } inside' "$docs/docs/setup.md"; }
typed() { # typed COMMANDS
    [ -n "$1" ] || fail "the page has no such commands"
    say "$1"
    bash -euc "$1" || fail "does not work as typed"
}
a_run() {
    local seen
    seen=$(bash -euc "$(step 3 "" | sed -n 's/^\$ //p')")
    equal "the result that README shows" "$(tail -n 1 <<<"$seen")" "$(step 3 "" | tail -n 1)"
}

typed "$(step 2 "")"
a_run
# what the application does; the page has an ellipsis where its own columns are
own "CREATE TABLE orders (id int)" app
sed -e 's/ …;/ VALUES (17);/' <<<"$(step 4 sql)" >/tmp/enqueue.sql
holds "from SQL" $admin psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=app --file=/tmp/enqueue.sql
done_by_key() { [ "$(own "SELECT result FROM dormouse.runs WHERE key = 'order-17'" app)" = 13 ]; }
wait_for 30 done_by_key
# as the login that setup let in, and no more than that
cat >/tmp/enqueue.py <<<"$(step 4 python)"
if python3 -c 'import psycopg2' 2>/dev/null; then
    run=$(runuser -u you -- python3 /tmp/enqueue.py)
    equal "from Python: the run" "$(own "SELECT id FROM dormouse.runs WHERE key = 'order-16'" app)" "$run"
else
    say "SKIPPED: from Python: there is no python3-psycopg2"
fi
holds "the application enqueues" runuser -u you -- psql --no-psqlrc --quiet --dbname=app --command="SELECT dormouse.enqueue('count')"
holds "and sees no runs" not runuser -u you -- psql --no-psqlrc --quiet --dbname=app --command="SELECT FROM dormouse.runs" 2>/dev/null
looks=0
while read -r command; do
    case $command in *ID) command="${command% ID} $(own "SELECT id FROM dormouse.runs WHERE key = 'order-17'" app)" ;; esac
    code=0
    bash -c "$command" >/root/seen 2>&1 || code=$?
    case $code in 0 | 13) say "ok: $command" ;; *) fail "$command: $code: $(cat /root/seen)" ;; esac
    ((++looks))
done < <(sed -n '/^\*\*5\. /,/^$/p' "$docs/README.md" | grep -o '`sudo dormouse [a-zA-Z ]*`' | tr -d '`')
equal "ways to look at it" "$looks" 4
typed "$(sed -n 's/^sudo dormouse setup --create-database/&/p' <<<"$(step 2 "")")" # a second time

without
say "--- by hand"
marked "by-hand /etc/dormouse/default.toml" >/etc/dormouse/default.toml
chgrp dormouse /etc/dormouse/default.toml
typed "$(marked by-hand)"
a_run
equal "what setup finds left to do" "$(dormouse setup postgresql:///app --dry-run 2>&1 | grep '^# ' | grep -v -e '^# there already: ' -e '^# next: ' -e '^# a try of ')" ""
