#!/bin/bash
# Due times that have passed, pass now, or are far away: each timer fires in its time, and systemd complains of none ("Specified calendar expression is in
# the past"). Far ones follow both clocks, so that a suspend and a clock that is set do not hold them up.
source "$(dirname "$0")/../lib.sh"
pool=due-past
use_pool $pool
stand_in $pool <<'WORKER'
times=(0 1 20 100 400 900 1500 3000 9223372036854775807)
due ${times[starts - 1]}
WORKER
systemctl start dormouse@$pool.target
wait_for 60 starts_are $pool 9
wait_for 20 asleep $pool
wait_for 20 armed_count_is $pool 1
timer=$(armed $pool)
equal "the far one is armed for" "$(armed_for "$timer")" "1y 18h" # 366 days; systemd's year has 365.25
holds "and by the calendar" grep -q OnCalendar= <<<"$(property "$timer" TimersCalendar)"
equal "complaints" "$(journalctl --quiet --no-pager --output=cat --since="$case_began" --grep='in the past' | sort | uniq -c)" ""
equal "failed units" "$(systemctl list-units --failed --plain --no-legend "dormouse*")" ""
