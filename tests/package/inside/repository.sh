#!/bin/bash
# Sourced by what installs from a release's directory, $DORMOUSE_BUILD: serves it on loopback, and has the lines of docs/packages.md.
host=http://127.0.0.1:8080
# A unit of its own: after a reboot it is served anew.
serve_repository() {
    systemd-run --quiet --unit=repository python3 -m http.server --bind 127.0.0.1 --directory "$DORMOUSE_BUILD" 8080
    wait_for 20 curl --silent --fail --output /dev/null $host/dormouse.asc
}
# page_block BEGIN: the block of docs/packages.md whose first line begins so, with this host for the page's.
page_block() {
    local block
    # shellcheck disable=SC2154 # tree is lib.sh's
    block=$(awk -v begin="$1" '/^```/ { inside = !inside; at = 0; next } inside && at++ == 0 { here = (index($0, begin) == 1) } inside && here' "$tree/docs/packages.md" |
        sed "s|https://HOST|$host|g")
    [ -n "$block" ] || fail "docs/packages.md has no block that begins with: $1"
    printf '%s\n' "$block"
}
