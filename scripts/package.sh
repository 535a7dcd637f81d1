#!/bin/bash
# ./dev package [--arch arm64] [DEB | RPM]
# Builds the preset release and packs it: build/package/*.deb and *.rpm, with what is in them printed. Says what lintian, if
# installed, finds wrong with the .deb.
#   --arch arm64   for that architecture, cross-built in a root of its own (scripts/cross.sh) into build/package-arm64
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

preset=release out=$root/build/package
if [ "${1:-}" = --arch ]; then
    architecture=${2:-}
    preset+=-$architecture out+=-$architecture
    grep -q "\"$preset\"" "$root/CMakePresets.json" || die "package: --arch: there is no preset $preset"
    if [ "${inside_cross:-}" != yes ]; then exec "$root/scripts/cross.sh" "$architecture" "$0" "$@"; fi
    export DEB_HOST_ARCH=$architecture # dpkg-shlibdeps
    shift 2
fi
kinds=${1:-DEB;RPM}
if [[ $kinds == *RPM* ]] && ! command -v rpmbuild >/dev/null; then die "an .rpm is made with rpmbuild (Debian package rpm; ./dev setup)"; fi
"$root/scripts/build.sh" "$preset"
rm -rf "$out"
mkdir -p "$out"
log=$out/cpack.log
cpack --config "$root/build/$preset/CPackConfig.cmake" -G "$kinds" -B "$out" >"$log" 2>&1 || {
    cat "$log" >&2
    die "cpack failed"
}
rm -rf "$out/_CPack_Packages"
# CPack packs the debugging symbols in the order of a directory; packed again they are the same bytes each time.
for symbols in "$out"/*.ddeb; do
    [ -e "$symbols" ] || continue
    dpkg-deb --raw-extract "$symbols" "$out/symbols"
    LC_ALL=C sort --key=2 --output="$out/symbols/DEBIAN/md5sums" "$out/symbols/DEBIAN/md5sums"
    dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$out/symbols" "$symbols" >>"$log"
    rm -rf "$out/symbols"
done
for package in "$out"/*.deb "$out"/*.rpm; do
    [ -e "$package" ] || continue
    say "$(du -k "$package" | cut -f1) kB  ${package#"$root/"}"
done
for package in "$out"/*.deb; do
    if [ -e "$package" ] && command -v lintian >/dev/null; then lintian --allow-root --tag-display-limit 0 --fail-on error "$package"; fi
done
