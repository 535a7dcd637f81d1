#!/bin/bash
# shellcheck disable=SC2154 # pool and case_began are lib.sh's and the case's
# Sourced by crash.*.sh, after new_pool: the programs of the pool's unit die at a named point (src/base/crash_point.h) as long as it
# is said. The file is read at each start of one of them, so the manager need not be told.
crash_file=/etc/dormouse-test-crash
drop_in "$pool" crash <<DROPIN
[Service]
EnvironmentFile=-$crash_file
DROPIN
at_end rm -f $crash_file
crash_at() { printf 'DORMOUSE_CRASH_AT=%s\n' "$1" >$crash_file; }
crash_nowhere() { rm $crash_file; }
died_since() { [ "$(deaths)" -gt "$1" ]; }
