#!/bin/bash
# ./dev release, of a clone of this commit: what it lays out for each architecture is complete and signed, apt installs from it by the lines of
# docs/packages.md and takes nothing that somebody changed, and a second clone in another place gives the same bytes. Where nothing can be
# cross-built, it says so.
source "$(dirname "$0")/lib.sh"
only_in_full
"$source_dir/tests/package/root.sh" || exit
for tool in apt-ftparchive createrepo_c gpg npm; do command -v "$tool" >/dev/null || skip "needs $tool (./dev setup)"; done
"$source_dir/scripts/cross.sh" arm64 true || true # made once, for both clones
if [ "${1:-}" != inside ]; then exec unshare --mount --propagation private "$0" inside; fi
mount -t tmpfs -o size=12g tmpfs /mnt # all in this mount namespace, gone with it
export GNUPGHOME=/mnt/gnupg
mkdir -m 700 $GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-generate-key 'a release <release@example.org>' rsa3072 sign never 2>/dev/null

released() { # released DIRECTORY OUT
    git -c safe.directory='*' clone --quiet "$source_dir" "$1"
    mkdir "$1/build"
    if [ -d "$source_dir/build/cross-arm64" ]; then ln -s "$source_dir/build/cross-arm64" "$1/build/"; fi
    "$1/dev" release --key release@example.org "$2" >/mnt/log 2>&1 || { tail -n 30 /mnt/log; fail "./dev release in $1"; }
}
refused() { "$source_dir/dev" release "$@" 2>&1 || true; }
holds "without a key it is refused, and says what is wanted" grep -q -e '--key KEY' <(refused)
holds "with a key that nobody has" grep -q 'signs nothing with the key "nobody@example.org"' <(refused --key nobody@example.org)
holds "with one that is none" grep -q 'DORMOUSE_RELEASE_KEY is no key' <(DORMOUSE_RELEASE_KEY=none refused)
released /mnt/one /mnt/out
out=/mnt/out
this=$(dpkg --print-architecture)
architectures=$this
if [ -d "$source_dir/build/cross-arm64" ]; then architectures="amd64 arm64"; fi
equal "what it says it left out" "$(sed -n 's/^LEFT OUT \([^:]*\): ..*/\1/p' /mnt/log)" "$([ "$architectures" != "$this" ] || echo arm64)"
say "   $(find $out -type f | wc -l) files, $(du -sm $out | cut -f1) MB"

say "--- complete and signed"
holds "checksums" env -C $out sha256sum --check --quiet SHA256SUMS
holds "each file has one" test "$(find $out -type f ! -name 'SHA256SUMS*' | wc -l)" = "$(wc -l <$out/SHA256SUMS)"
for signature in SHA256SUMS.asc apt/dists/stable/Release.gpg rpm/repodata/repomd.xml.asc; do
    signed=${signature%.asc}
    holds "the signature $signature" gpg --batch --quiet --verify $out/$signature "$out/${signed%.gpg}"
done
version=$(sed -n 's/^project(dormouse VERSION \([0-9.]*\).*/\1/p' "$source_dir/CMakeLists.txt")
in_rpm=
for architecture in $architectures; do
    machine=$([ "$architecture" = arm64 ] && echo aarch64 || echo x86_64)
    in_rpm+=" dormouse.$machine dormouse-devel.$machine"
    equal "apt's packages for $architecture" "$(sed -n 's/^Package: //p' "$out/apt/dists/stable/main/binary-$architecture/Packages" | sort | xargs)" \
        "dormouse dormouse-dbgsym libdormouse-dev python3-dormouse"
    equal "and what they are for" "$(sed -n 's/^Architecture: //p' "$out/apt/dists/stable/main/binary-$architecture/Packages" | sort -u | xargs)" "all $architecture"
done
equal "dnf's packages" "$(python3 - $out/rpm <<'PY'
import glob, gzip, os, sys, xml.etree.ElementTree as xml
here = {"": "http://linux.duke.edu/metadata/common"}
packages = xml.fromstring(gzip.open(glob.glob(sys.argv[1] + "/repodata/*primary.xml.gz")[0]).read()).findall("package", here)
assert all(os.path.exists(os.path.join(sys.argv[1], one.find("location", here).get("href"))) for one in packages)
print(*sorted(one.find("name", here).text + "." + one.find("arch", here).text for one in packages))
PY
)" "$(xargs -n 1 <<<"$in_rpm python3-dormouse.noarch" | LC_ALL=C sort | xargs)"
equal "beside them" "$(find $out -maxdepth 1 -type f -printf '%f\n' | LC_ALL=C sort | xargs)" \
    "$({
        printf '%s\n' SHA256SUMS SHA256SUMS.asc dormouse.asc "dormouse-$version.tar.gz" "dormouse-worker-$version.tgz" "dormouse_worker-$version"{-py3-none-any.whl,.tar.gz}
        for one in $architectures; do echo "dormouse-$version-$one.spdx.json"; done
    } | LC_ALL=C sort | xargs)"
mkdir /mnt/rpmdb
rpmkeys --dbpath /mnt/rpmdb --import $out/dormouse.asc
for package in $out/rpm/*.rpm; do holds "the signature of ${package##*/}" grep -q 'digests signatures OK' <(rpmkeys --dbpath /mnt/rpmdb --checksig "$package"); done
holds "the sources have what git has" test "$(tar -tzf $out/dormouse-*.tar.gz | grep -vc '/$')" = "$(git -c safe.directory='*' -C /mnt/one ls-files | wc -l)"
of_sbom() { # of_sbom HOW: the names of what is linked in that way
    python3 - "$1" "$sbom" <<'PY'
import json, sys
document = json.load(open(sys.argv[2], encoding="utf-8"))
names = {package["SPDXID"]: package["name"] for package in document["packages"]}
print(*[names[one["relatedSpdxElement"]] for one in document["relationships"] if one["relationshipType"] == sys.argv[1]], sep="\n")
PY
}
for sbom in $out/*.spdx.json; do
    for library in libpq5 libuv1 libsystemd0 libcurl4; do holds "the SBOM ${sbom##*/} names $library" grep -qxE "$library(t64)?" <(of_sbom DYNAMIC_LINK); done # t64: on Debian 13
    for library in libtomlplusplus-dev nlohmann-json3-dev libcli11-dev; do holds "and $library" grep -qx "$library" <(of_sbom STATIC_LINK); done
done

say "--- apt, by the lines of docs/packages.md"
mkdir /mnt/{root,upper,work}
mount -t overlay overlay -o "lowerdir=$clean_root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
mount -t proc proc /mnt/root/proc
mkdir -p /mnt/root/srv
mount --bind $out /mnt/root/srv
in_chroot() { chroot /mnt/root env DEBIAN_FRONTEND=noninteractive "$@" >/mnt/log 2>&1 || { tail -n 20 /mnt/log; return 1; }; }
# This list alone, and those of before stay.
alone="-o Dir::Etc::sourcelist=/etc/apt/sources.list.d/dormouse.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0"
# The page fetches the key and the list from a web server; here both are in a directory, and there is no network.
lines=$(sed -n '/^## From a repository$/,/^## /p' "$source_dir/docs/packages.md" | sed -n '/^```$/,/^```$/p' | sed -n '/apt/p' |
    sed -e 's/sudo //g' -e 's|curl -fsSL https://HOST/|cat /srv/|' -e 's|https://HOST/|file:///srv/|' \
        -e 's|apt install|apt-get install --yes --no-install-recommends|' -e "s|apt update|apt-get update $alone|")
equal "lines" "$(wc -l <<<"$lines")" 3
while read -r line; do holds "$line" in_chroot sh -ec "$line"; done <<<"$lines"
equal "what is installed" "$(chroot /mnt/root dormouse --version)" "dormouse $version"
for architecture in $architectures; do # the signature and the checksum are looked at for each
    holds "apt fetches the package for $architecture" in_chroot env "alone=$alone -o APT::Architecture=$architecture -o APT::Architectures=$architecture" sh -ec '
        cd /tmp && apt-get update $alone && apt-get download $alone dormouse'
    holds "and it is that one" cmp /mnt/root/tmp/dormouse_*_"$architecture".deb $out/apt/pool/dormouse_*_"$architecture".deb
done
holds "what somebody changed is refused" not in_chroot env "alone=$alone" sh -ec '
    cp -r /srv/apt /tmp/changed
    sed -i "s/^Version: .*/Version: 9/" /tmp/changed/dists/stable/main/binary-*/Packages
    rm -f /tmp/changed/dists/stable/main/binary-*/Packages.gz
    sed -i "s|file:///srv/apt|file:///tmp/changed|" /etc/apt/sources.list.d/dormouse.list
    apt-get update $alone -o APT::Update::Error-Mode=any'

say "--- the same bytes in another place"
released /mnt/a/longer/place /mnt/again
holds "all of it is the same, the signatures too" diff -r $out /mnt/again
