#!/bin/bash
# handler.sh HOST TASK: what a run does. It leaves marks outside the database, one write each: start, beat (every tenth of a
# second, its grandchildren's too), end. What it answers, and what it says when it fails, is its fence.
host=$1 task=$2
mark() { printf '%s\n' "$1 $DORMOUSE_RUN_ID $DORMOUSE_FENCE $DORMOUSE_ATTEMPT $host $task $EPOCHREALTIME" >>/srv/chaos/marks; }
work() { # work TENTHS
    local i
    for ((i = 0; i < $1; ++i)); do
        sleep 0.1 # the work itself
        mark beat
    done
}
mark start
read -r payload
[[ $payload =~ \"tenths\":\ *([0-9]+) ]] && tenths=${BASH_REMATCH[1]}
[[ $payload =~ \"fails\":\ *([0-9]+) ]] && fails=${BASH_REMATCH[1]}
echo "fence=$DORMOUSE_FENCE" >&2
code=0
case $task in
stubborn) trap '' TERM ;;
forker) (setsid bash -c "$(declare -f mark work); host=$host task=$task; work 600" </dev/null >/dev/null 2>&1 &) ;;
flaky) [ "$DORMOUSE_ATTEMPT" -gt "${fails:-0}" ] || code=1 ;;
doomed) code=1 ;;
snooze) [[ $DORMOUSE_FENCE == *[02468]:* ]] || code=75 ;;
esac
work "${tenths:-0}"
mark end
[ $code != 0 ] || printf '{"fence": "%s"}\n' "$DORMOUSE_FENCE"
exit $code
