#!/bin/bash
# Builds the packages (./dev package) and looks at them from outside: files, owners, dependencies, scripts, lintian.
source "$(dirname "$0")/lib.sh"
only_in_full
begin=$SECONDS
"$source_dir/dev" package
say "   built in $((SECONDS - begin)) s"
deb=$(package_of deb)
rpm=$(package_of rpm)

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
dpkg-deb -x "$deb" "$tree"
listed "$tree" | compare deb
equal "owners in the .deb" "$(dpkg-deb -c "$deb" | awk '{ print $2 }' | sort -u)" root/root
equal "dependencies of the .deb" "$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | awk '{ print $1 }' | sort | xargs)" \
    "libc6 libcurl4 libpq5 libsystemd0 libuv1 systemd"
holds "the programs have no crash points" not grep -q DORMOUSE_CRASH_AT "$tree/usr/bin/dormouse" "$tree/usr/lib/dormouse/dormouse-due"
# The library in it is the release's, which no other test links.
example=$tree/usr/share/doc/dormouse/examples/embed
holds "the example is configured for the library of the .deb" cmake -S "$example" -B "$tree/build" -DCMAKE_PREFIX_PATH="$tree/usr" -DCMAKE_BUILD_TYPE=Release
holds "and linked with it" cmake --build "$tree/build"
holds "lintian is there to be asked (./dev setup)" command -v lintian
holds "lintian finds no error" lintian --allow-root --tag-display-limit 0 --fail-on error "$deb"

# Directories that the package owns are in an .rpm too; only the empty one counts.
rpm -qp --queryformat '[%{FILEMODES:octal} %{FILENAMES} -> %{FILELINKTOS}\n]' "$rpm" |
    awk '/^4/ { if ($2 == "/etc/dormouse") print "755 /etc/dormouse/"; next } /^12/ { print "link " $2 " -> " $4; next } { print substr($1, length($1) - 2) " " $2 }' |
    compare rpm
equal "owners in the .rpm" "$(rpm -qp --queryformat '[%{FILEUSERNAME}/%{FILEGROUPNAME}\n]' "$rpm" | sort -u)" root/root
equal "libraries of the .rpm" "$(rpm -qp --requires "$rpm" | sed -n 's/^\(lib[a-z]*\)\.so.*/\1/p' | sort -u | xargs)" "libc libcurl libm libpq libsystemd libuv"
say "   newest glibc it asks for: $(rpm -qp --requires "$rpm" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)"
equal "scripts of the .rpm" "$(rpm -qp --scripts "$rpm" | sed -n 's/ scriptlet.*//p' | xargs)" "postinstall preuninstall postuninstall"
