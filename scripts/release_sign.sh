#!/bin/bash
# release_sign.sh KEY OPTION OF gpg…: signs with that key, at the time SOURCE_DATE_EPOCH, so that the same key gives the same signature again.
# --time: prints that time only.
set -euo pipefail
[ $# -gt 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
key=$1
shift
# gpg refuses a signature from before the key was made.
at=$(gpg --batch --with-colons --list-secret-keys "$key" |
    awk -F: -v at="${SOURCE_DATE_EPOCH:?}" '/^(sec|ssb):/ && $6 > at { at = $6 } END { print at }')
if [ "${1:-}" = --time ]; then
    printf '%s\n' "$at"
    exit
fi
exec gpg --batch --yes --quiet --faked-system-time "$at!" --local-user "$key" --armor "$@" 2> >(grep -v 'faked system time' >&2)
