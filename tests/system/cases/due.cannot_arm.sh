#!/bin/bash
# When no timer can be armed the helper fails, and Restart= brings the worker back instead; a systemd-run that hangs is given
# up. Here the program itself is replaced, inside this container, for the time of the case.
source "$(dirname "$0")/../lib.sh"
pool=due-cannot
use_pool $pool
stand_in $pool <<'WORKER'
due 3600000
WORKER
restore() { umount /usr/bin/systemd-run 2>/dev/null || true; }
at_end restore
more_starts_than() { [ "$(starts $pool)" -gt "$1" ]; }

mount --bind /bin/false /usr/bin/systemd-run
systemctl start dormouse@$pool.target
wait_for 30 more_starts_than 2
say "   $(helper_said $pool)"
restore
wait_for 20 armed_count_is $pool 1
wait_for 20 asleep $pool
equal "armed for" "$(armed_for "$(armed $pool)")" 1h

printf '#!/bin/sh\nexec tail -f /dev/null\n' >/etc/dormouse-test/hang
chmod +x /etc/dormouse-test/hang
mount --bind /etc/dormouse-test/hang /usr/bin/systemd-run
before=$(starts $pool)
systemctl start dormouse@$pool.service
wait_for 60 more_starts_than $((before + 1))
say "   $(journalctl --quiet --no-pager --output=cat --identifier=dormouse-due --unit="dormouse@$pool.service" --grep=answer | tail -n 1)"
restore
wait_for 60 asleep $pool
wait_for 20 armed_count_is $pool 1
