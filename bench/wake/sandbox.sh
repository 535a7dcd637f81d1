#!/bin/bash
# sandbox.sh ROUNDS: inside the booted container. What each line of the worker's unit costs at the start of a process: a line alone, in a unit
# that has nothing else, and the whole without that line. Prints a table; the time is from systemd's fork to the end of a program that does
# nothing. In turn, one start of each a round.
# shellcheck source=tests/system/lib.sh
source "$(dirname "$0")/../../tests/system/lib.sh"
rounds=$1
unit=bench-sandbox.service file=/etc/systemd/system/bench-sandbox.service
directory=$(mktemp -d)
install -D "$DORMOUSE_BUILD/nothing" /usr/lib/dormouse-bench/nothing

mapfile -t lines < <(sed -n '/^User=/,$p' /usr/lib/systemd/system/dormouse@.service | grep -E '^[A-Z][A-Za-z]*=' | sed 's/%i/bench-sandbox/g')
write() { # write WHAT LINE…: the unit's file of that name
    { printf '%s\n' '[Service]' Type=oneshot RemainAfterExit=yes ExecStart=/usr/lib/dormouse-bench/nothing; shift; printf '%s\n' "$@"; } >"$directory/$1"
}
write 0
write all "${lines[@]}"
for i in "${!lines[@]}"; do
    write "only-$i" "${lines[i]}"
    without=()
    for j in "${!lines[@]}"; do [ "$i" = "$j" ] || without+=("${lines[j]}"); done
    write "without-$i" "${without[@]}"
done
for ((round = 0; round < rounds; round++)); do
    for variant in "$directory"/*; do
        cp "$variant" "$file"
        systemctl daemon-reload
        systemctl restart $unit
        echo "${variant##*/} $(($(property $unit ExecMainExitTimestampMonotonic) - $(property $unit ExecMainStartTimestampMonotonic)))"
    done
done >"$directory.times"
median() { awk -v what="$1" '$1 == what { print $2 }' "$directory.times" | sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
ms() { awk -v us="$1" 'BEGIN { printf "%6.1f", us / 1000 }'; }
none=$(median 0) all=$(median all)
printf '| line | alone, above none (ms) | the whole, without it (ms less) |\n|---|---|---|\n'
printf '| none | %s | |\n| all | %s | |\n' "$(ms "$none")" "$(ms $((all - none)))"
for i in "${!lines[@]}"; do
    printf '| %s | %s | %s |\n' "${lines[i]}" "$(ms $(($(median "only-$i") - none)))" "$(ms $((all - $(median "without-$i"))))"
done
rm -r "$directory" "$directory.times" "$file"
