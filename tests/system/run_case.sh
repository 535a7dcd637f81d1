#!/bin/bash
# run_case.sh CASE.sh: runs one case inside the container of DORMOUSE_SYSTEM_STATE; the container must be up. A case that
# exits 71 is called again after a reboot of the container, with the next number: 1, 2, … What it leaves in DIR/logs on
# failure is the journal of its time.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
script=$1
name=$(basename "$script" .sh)
log="${DORMOUSE_SYSTEM_STATE:?}/logs/$name.journal"

"$here/boot.sh" check
if [ -n "${DORMOUSE_SYSTEM_LAYER:-}" ] && [ ! -e "$DORMOUSE_SYSTEM_LAYER" ]; then
    echo "SKIPPED: the tools could not be installed here: system.tools.boot says why"
    exit 77
fi
since=$(date '+%Y-%m-%d %H:%M:%S.%6N')
part=1
while :; do
    code=0
    "$here/boot.sh" exec "$script" "$part" || code=$?
    [ "$code" = 71 ] || break
    echo "--- reboot ---"
    "$here/boot.sh" reboot
    part=$((part + 1))
done
if [ "$code" != 0 ] && [ "$code" != 77 ]; then
    "$here/boot.sh" exec journalctl --no-pager --output=short-precise --since="$since" >"$log" 2>&1 || true
    echo "--- the end of $log ---"
    tail -n 60 "$log" || true
fi
exit "$code"
