#!/bin/bash
# Builds the packages (./dev package) and looks at them from outside: files, owners, dependencies, scripts, lintian, and what
# the compiler's flags left in the programs.
source "$(dirname "$0")/lib.sh"
only_in_full
begin=$SECONDS
"$source_dir/dev" package
say "   built in $((SECONDS - begin)) s"
deb=$(package_of deb)
rpm=$(package_of rpm)

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
all=("$deb" "$(package_of deb libdormouse-dev)" "$(package_of deb python3-dormouse)")
for one in "${all[@]}"; do dpkg-deb -x "$one" "$tree"; done
listed "$tree" | compare deb
equal "files in two of the .debs" "$(for one in "${all[@]}"; do dpkg-deb -c "$one"; done | awk '!/^d/ { print $6 }' | sort | uniq -d)" ""
equal "owners in the .debs" "$(for one in "${all[@]}"; do dpkg-deb -c "$one"; done | awk '{ print $2 }' | sort -u)" root/root
equal "what is for programs that link the library, in libdormouse-dev" \
    "$(dpkg-deb -c "${all[1]}" | awk '!/^d/ { print $6 }' | grep -cE '^[.]/usr/(include/dormouse/.*[.]h|lib/libdormouse.a|lib/cmake/dormouse/.*)$')" 8
holds "and nothing of it in dormouse" not grep -qE '/include/|libdormouse' <(dpkg-deb -c "$deb")
holds "nothing of Python's in dormouse" not grep -q /dist-packages/ <(dpkg-deb -c "$deb")
equal "python3-dormouse is for every machine" "$(dpkg-deb -f "${all[2]}" Architecture)" all
# without the mark that Debian 13 has in names of libraries whose time_t has grown
equal "dependencies of the .deb" "$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | awk '{ sub(/t64$/, "", $1); print $1 }' | sort | xargs)" \
    "libc6 libcurl4 libpq5 libsystemd0 libuv1 systemd"
symbols=$(package_of ddeb dormouse-dbgsym)
build_id=$(readelf -n "$tree/usr/bin/dormouse" | sed -n 's/.*Build ID: //p')
holds "dormouse-dbgsym has what belongs to the program" grep -q "/${build_id:0:2}/${build_id:2}.debug" <(dpkg-deb -c "$symbols")
holds "which has it no more itself" not grep -q "[.]debug_info" <(readelf -S --wide "$tree/usr/bin/dormouse")
dpkg-deb -x "$symbols" "$tree"
hardened "$tree"
holds "the programs have no crash points" not grep -q DORMOUSE_CRASH_AT "$tree/usr/bin/dormouse" "$tree/usr/lib/dormouse/dormouse-due"
# The library in it is the release's, which no other test links.
example=$tree/usr/share/doc/dormouse/examples/embed
holds "the example is configured for the library of the .deb" cmake -S "$example" -B "$tree/build" -DCMAKE_PREFIX_PATH="$tree/usr" -DCMAKE_BUILD_TYPE=Release
holds "and linked with it" cmake --build "$tree/build"
holds "lintian is there to be asked (./dev setup)" command -v lintian
holds "lintian finds no error" lintian --allow-root --tag-display-limit 0 --fail-on error "${all[@]}"

# Directories that the package owns are in an .rpm too; only the empty one counts.
rpms=("$rpm" "$(package_of rpm dormouse-devel)" "$(package_of rpm python3-dormouse)")
rpm -qp --queryformat '[%{FILEMODES:octal} %{FILENAMES} -> %{FILELINKTOS}\n]' "${rpms[@]}" |
    awk '/^4/ { if ($2 == "/etc/dormouse") print "755 /etc/dormouse/"; next } /^12/ { print "link " $2 " -> " $4; next } { print substr($1, length($1) - 2) " " $2 }' |
    compare rpm
equal "owners in the .rpms" "$(rpm -qp --queryformat '[%{FILEUSERNAME}/%{FILEGROUPNAME}\n]' "${rpms[@]}" | sort -u)" root/root
equal "files in two of the .rpms" "$(rpm -qpl "${rpms[@]}" | sort | uniq -d | grep -vxF -f <(rpm -qp --queryformat '[%{FILEMODES:octal} %{FILENAMES}\n]' "${rpms[@]}" | sed -n 's/^4[0-9]* //p'))" ""
equal "python3-dormouse.rpm is for every machine, and needs" "$(rpm -qp --queryformat '%{ARCH}' "${rpms[2]}") $(rpm -qp --requires "${rpms[2]}" | grep -v '^rpmlib(' | sort -u | xargs)" \
    "noarch /bin/sh python3 >= 3.9"
equal "libraries of the .rpm" "$(rpm -qp --requires "$rpm" | sed -n 's/^\(lib[a-z]*\)\.so.*/\1/p' | sort -u | xargs)" "libc libcurl libm libpq libsystemd libuv"
say "   newest glibc it asks for: $(rpm -qp --requires "$rpm" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)"
equal "scripts of the .rpm" "$(rpm -qp --scripts "$rpm" | sed -n 's/ scriptlet.*//p' | xargs)" "postinstall preuninstall postuninstall"
