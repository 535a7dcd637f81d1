#!/bin/bash
# What a newcomer does, on a clean Debian with a booted systemd: installs from a release's apt repository by the lines of docs/packages.md,
# follows the README's five minutes as typed, reboots, upgrades, removes, purges. inside/newcomer.sh is what happens in there.
source "$(dirname "$0")/lib.sh"
only_in_full
"$source_dir/tests/system/boot.sh" check
"$source_dir/tests/package/root.sh" || exit
package_of deb >/dev/null
lay_out_repository
export DORMOUSE_ROOT=$clean_root DORMOUSE_BUILD=$repository
trap '"$source_dir/tests/system/boot.sh" stop' EXIT
"$source_dir/tests/system/boot.sh" start
"$source_dir/tests/system/run_case.sh" "$source_dir/tests/package/inside/newcomer.sh"
