#!/bin/bash
# Run once inside a freshly booted container: puts the build where a package would put it, and starts a Postgres.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib.sh
source "$here/lib.sh"
units=$here/../../units

install -D -m 0755 "$DORMOUSE_BUILD/dormouse-due" /usr/lib/dormouse/dormouse-due
install -D -m 0711 "$DORMOUSE_BUILD/dormouse-alert" /usr/lib/dormouse/dormouse-alert
install -m 0755 "$here/../../libexec"/dormouse-{dev,prove} /usr/lib/dormouse/
install -m 0644 "$here/../../libexec"/dormouse-{host.sh,prove.sh,prove.sql} /usr/lib/dormouse/
install -D -m 0644 -t /usr/share/dormouse/sql/queries "$here"/../../sql/queries/*.sql
install -m 0711 "$DORMOUSE_BUILD/dormouse-relay" /usr/lib/dormouse/dormouse-relay
if [ -x "$DORMOUSE_BUILD/dormouse" ]; then install -m 0711 "$DORMOUSE_BUILD/dormouse" /usr/bin/dormouse; fi
install -m 0644 "$units"/*.target "$units"/*.socket "$units"/*.path "$units"/*.timer "$units"/*.mount "$units"/*.service /usr/lib/systemd/system/
mkdir -p /usr/lib/systemd/system/multi-user.target.wants /etc/dormouse
ln -sf ../dormouse.target /usr/lib/systemd/system/multi-user.target.wants/dormouse.target
install -D -m 0644 "$units/dormouse.sysusers.conf" /usr/lib/sysusers.d/dormouse.conf
install -D -m 0644 "$units/dormouse.tmpfiles.conf" /usr/lib/tmpfiles.d/dormouse.conf
install -D -m 0644 "$units/dormouse.sysctl.conf" /usr/lib/sysctl.d/10-dormouse.conf
install -D -m 0644 "$units/dormouse.preset" /usr/lib/systemd/system-preset/90-dormouse.preset
# The clients, as in the .deb: Python finds its own by itself.
mkdir -p /usr/share/dormouse /usr/lib/python3/dist-packages
cp -R "$here/../../clients" /usr/share/dormouse/
find /usr/share/dormouse/clients -name __pycache__ -prune -exec rm -r {} +
chmod -R u=rwX,go=rX /usr/share/dormouse
cp -R /usr/share/dormouse/clients/python/dormouse /usr/lib/python3/dist-packages/
if [ -d "$DORMOUSE_BUILD/man" ]; then
    install -D -m 0644 -t /usr/share/man/man1 "$DORMOUSE_BUILD"/man/*.1.gz
    install -D -m 0644 -t /usr/share/man/man5 "$DORMOUSE_BUILD"/man/*.5.gz
fi
systemd-sysusers dormouse.conf
systemd-tmpfiles --create dormouse.conf
systemctl daemon-reload
# As on a machine whose package was there at boot.
systemctl start dormouse.target

[ "${DORMOUSE_SYSTEM_POSTGRES:-yes}" = yes ] || exit 0
# A private Postgres as a service of its own, so that a case can stop and kill it. It comes back at a reboot.
bin=$(postgres_bin)
install -d -o postgres -g postgres -m 0755 "$postgres_data"
runuser -u postgres -- "$bin/initdb" --pgdata="$postgres_data" --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
cat >>"$postgres_data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '/run/dormouse-test-postgres'
shared_preload_libraries = 'pg_stat_statements'
max_connections = 60
fsync = off
CONF
cat >"/etc/systemd/system/$postgres_unit" <<UNIT
[Service]
Type=notify
User=postgres
RuntimeDirectory=dormouse-test-postgres
ExecStart=$bin/postgres -D $postgres_data
KillMode=mixed
KillSignal=SIGINT
[Install]
WantedBy=multi-user.target
UNIT
# The one role that must give a password comes first; everybody else is trusted.
sed -i '1i host all password_needed all scram-sha-256' "$postgres_data/pg_hba.conf"
systemctl daemon-reload
systemctl enable --quiet --now "$postgres_unit"
database=postgres sql "CREATE EXTENSION pg_stat_statements"
