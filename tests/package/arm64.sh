#!/bin/bash
# The packages for arm64, cross-built: looked at from outside; then, in an arm64 Debian under qemu-user, they are installed, a worker with a
# Postgres does runs from end to end (inside/arm64.sh), and unit_tests of that architecture are run. What qemu-user cannot is not shown.
source "$(dirname "$0")/lib.sh"
only_in_full
cross="$source_dir/scripts/cross.sh arm64"
$cross true || exit
"$source_dir/tests/package/arm64_root.sh" || exit
arm64_root=$source_dir/build/package-root-arm64
packages=$source_dir/build/package-arm64

if [ "${1:-}" != tests ]; then
    "$source_dir/dev" package --arch arm64
    deb=$(package_of deb)
    rpm=$(package_of rpm)
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    for one in "$deb" "$(package_of deb libdormouse-dev)" "$(package_of deb python3-dormouse)"; do dpkg-deb -x "$one" "$tree"; done
    listed "$tree" | compare deb
    equal "architecture of the .deb and of the .rpm" "$(dpkg-deb -f "$deb" Architecture) $(rpm -qp --queryformat '%{ARCH}' "$rpm")" "arm64 aarch64"
    equal "machine of the programs" "$(readelf -h "$tree"/usr/bin/dormouse "$tree"/usr/lib/dormouse/dormouse-{due,relay,alert} | sed -n 's/.*Machine: *//p' | sort | uniq -c | xargs)" "4 AArch64"
    equal "machine of the library" "$(readelf -h "$tree/usr/lib/libdormouse.a" | sed -n 's/.*Machine: *//p')" AArch64
    equal "dependencies of the .deb" "$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | awk '{ sub(/t64$/, "", $1); print $1 }' | sort | xargs)" \
        "libc6 libcurl4 libpq5 libsystemd0 libuv1 systemd"
    equal "libraries of the .rpm" "$(rpm -qp --requires "$rpm" | sed -n 's/^\(lib[a-z]*\)\.so.*/\1/p' | sort -u | xargs)" "libc libcurl libm libpq libsystemd libuv"
    symbols=$(package_of ddeb dormouse-dbgsym)
    build_id=$(readelf -n "$tree/usr/bin/dormouse" | sed -n 's/.*Build ID: //p')
    holds "dormouse-dbgsym has what belongs to the program" grep -q "/${build_id:0:2}/${build_id:2}.debug" <(dpkg-deb -c "$symbols")
    dpkg-deb -x "$symbols" "$tree"
    hardened "$tree"
fi

say "--- unit_tests, for arm64"
$cross "$source_dir/scripts/build.sh" dev-arm64 unit_tests
say "--- in an arm64 Debian, under qemu-user"
"$source_dir/tests/package/emulated.sh" "$arm64_root" "$source_dir/tests/package/inside/arm64.sh" "$packages"
