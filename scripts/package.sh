#!/bin/bash
# ./dev package [DEB | RPM]
# Builds the preset release and packs it: build/package/*.deb and *.rpm, with what is in them printed. Says what lintian, if
# installed, finds wrong with the .deb.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

kinds=${1:-DEB;RPM}
if [[ $kinds == *RPM* ]] && ! command -v rpmbuild >/dev/null; then die "an .rpm is made with rpmbuild (Debian package rpm; ./dev setup)"; fi
out=$root/build/package
"$root/scripts/build.sh" release
rm -rf "$out"
mkdir -p "$out"
log=$out/cpack.log
cpack --config "$root/build/release/CPackConfig.cmake" -G "$kinds" -B "$out" >"$log" 2>&1 || {
    cat "$log" >&2
    die "cpack failed"
}
rm -rf "$out/_CPack_Packages"
for package in "$out"/*.deb "$out"/*.rpm; do
    [ -e "$package" ] || continue
    say "$(du -k "$package" | cut -f1) kB  ${package#"$root/"}"
done
for package in "$out"/*.deb; do
    if [ -e "$package" ] && command -v lintian >/dev/null; then lintian --allow-root --tag-display-limit 0 --fail-on error "$package"; fi
done
