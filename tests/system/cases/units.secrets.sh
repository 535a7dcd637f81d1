#!/bin/bash
# What the worker's unit has in its environment no handler sees, although it has the same account: not in the worker, whichever pool's it is, not
# in the program that it starts to tell people, and not before the first line of either.
source "$(dirname "$0")/../lib.sh"
pool=secrets
cat >/srv/spy.py <<'PY'
import json, os, time

seen = set()
last = time.monotonic() + 60
while time.monotonic() < last and not os.path.exists("/srv/spy.end"):
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/environ") as file:
                if "of-the-unit" not in file.read():
                    continue
            with open(f"/proc/{process}/cmdline") as file:
                seen.add(file.read().replace("\0", " ").strip())
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            pass
print(json.dumps(sorted(seen)))
PY
chmod 644 /srv/spy.py
at_end "rm -f /srv/spy.py /srv/spy.end"
new_pool $pool
wait_for 20 asleep $pool
drop_in $pool secret <<'UNIT'
[Service]
Environment=UNIT_SECRET=of-the-unit
UNIT
configure $pool <<TOML
$short
[alerts]
command = ["/bin/true"]
gather = "100ms"
[task.spy]
command = ["/usr/bin/python3", "/srv/spy.py"]
[task.bad]
command = ["/bin/false"]
max_attempts = 1
TOML
spy=$(enqueue spy)
ring $pool
spies() { pgrep --full /srv/spy.py >/dev/null; }
wait_for 20 spies
another=$pool-beside
use_pool $another
mkdir -p "/etc/systemd/system/dormouse@$another.service.d"
cp "/etc/systemd/system/dormouse@$pool.service.d/secret.conf" "/etc/systemd/system/dormouse@$another.service.d/"
systemctl daemon-reload
configure $another <<<"$short"
sed -i '/^\[worker\]/a queues = ["another"]' "/etc/dormouse/$another.toml"
systemctl start "dormouse@$another.target"
wait_for 20 asleep $another
enqueue bad >/dev/null
ring $pool
told() { journalctl --quiet --no-pager --unit="dormouse@$pool.service" --since="$case_began" --grep=alert_sent | grep -q .; }
wait_for 30 told
holds "the handler still looks" spies
touch /srv/spy.end
wait_for 30 completed "$spy"
equal "whose environment it saw" "$(sql "SELECT result FROM dormouse.runs WHERE id = '$spy'")" "[]"
