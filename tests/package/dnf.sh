#!/bin/bash
# The dnf repository of a release, on a clean Debian with a booted systemd and Debian's dnf: installed by the file of docs/packages.md, with the
# signatures checked; upgraded and removed beside workers at work. inside/dnf.sh is what happens in there. What Fedora's own packages would
# provide stands in a package of its own, as Debian's rpm knows of none: which names Fedora has is not shown here.
source "$(dirname "$0")/lib.sh"
only_in_full
"$source_dir/tests/system/boot.sh" check
"$source_dir/tests/package/root.sh" || exit
package_of rpm >/dev/null
lay_out_repository
work=$(mktemp -d)
trap '"$source_dir/tests/system/boot.sh" stop; rm -rf "$work"' EXIT
{
    printf '%s\n' 'Name: everything-else' 'Version: 1' 'Release: 1' 'Summary: what a distribution has' 'License: none' 'BuildArch: noarch'
    rpm -qp --requires "$repository"/rpm/*.rpm 2>/dev/null | grep -v -e '^rpmlib(' -e dormouse | sed 's/ [<>=]\{1,2\} .*/ = 99/' | sort -u | sed 's/^/Provides: /'
    printf '%s\n' '%description' 'What a distribution has.' '%files'
} >"$work/everything-else.spec"
rpmbuild --quiet -bb --define "_topdir $work" --define "_rpmdir $repository/else" "$work/everything-else.spec" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
createrepo_c --quiet "$repository/else"

export DORMOUSE_ROOT=$clean_root DORMOUSE_BUILD=$repository
"$source_dir/tests/system/boot.sh" start
"$source_dir/tests/system/run_case.sh" "$source_dir/tests/package/inside/dnf.sh"
