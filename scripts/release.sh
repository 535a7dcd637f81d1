#!/bin/bash
# ./dev release --key KEY [DIRECTORY]
# Builds the packages and lays out what a static host serves, in build/release-VERSION or DIRECTORY: a signed apt repository (apt/), a
# signed dnf repository (rpm/), the sources, an SBOM, checksums, and dormouse.asc, the key to check them with. KEY is a secret key of your
# gpg (a name, an address, a fingerprint). What is not committed is refused: a release is what its commit says. The same commit gives the
# same packages, byte by byte, on the same Debian.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

key=
directory=
while [ "$#" -gt 0 ]; do
    case $1 in
    --key) key=${2:?"--key takes a key of your gpg"}; shift ;;
    -*) die "release: there is no option $1" ;;
    *) directory=$1 ;;
    esac
    shift
done
[ -n "$key" ] || die "release: repositories are signed: --key KEY, one that gpg --list-secret-keys shows"
gpg --list-secret-keys "$key" >/dev/null 2>&1 || die "release: gpg has no secret key \"$key\" (gpg --list-secret-keys)"
for tool in apt-ftparchive:apt-utils createrepo_c:createrepo-c rpmsign:rpm; do
    command -v "${tool%:*}" >/dev/null || die "release: ${tool%:*} is missing (Debian package ${tool#*:}; ./dev setup)"
done
git() { command git -c safe.directory='*' -C "$root" "$@"; }
[ -z "$(git status --porcelain)" ] || die "release: commit or put away what git status shows"

version=$(sed -n 's/^project(dormouse VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) # the time in every file that has one
export SOURCE_DATE_EPOCH
out=$(realpath -m "${directory:-$root/build/release-$version}")
[ ! -e "$out" ] || [ -f "$out/SHA256SUMS" ] || die "release: $out exists and is no release"
"$root/scripts/package.sh"
rm -rf "$out"
mkdir -p "$out"/apt/pool "$out"/rpm
sign() { gpg --batch --yes --local-user "$key" --armor "$@"; }

say "--- sources and SBOM"
git archive --prefix="dormouse-$version/" HEAD | gzip -9n >"$out/dormouse-$version.tar.gz"
"$root/scripts/sbom.py" "$root/build/release" "$version" >"$out/dormouse-$version.spdx.json"
gpg --batch --armor --export "$key" >"$out/dormouse.asc"

say "--- apt"
cp "$root"/build/package/*.deb "$out/apt/pool"
for symbols in "$root"/build/package/*.ddeb; do cp "$symbols" "$out/apt/pool/$(basename "$symbols" .ddeb).deb"; done
architecture=$(dpkg --print-architecture)
index=dists/stable/main/binary-$architecture
mkdir -p "$out/apt/$index"
(
    cd "$out/apt"
    apt-ftparchive packages pool >"$index/Packages"
    gzip -9nk "$index/Packages"
    apt-ftparchive -o APT::FTPArchive::Release::Origin=dormouse -o APT::FTPArchive::Release::Suite=stable \
        -o APT::FTPArchive::Release::Codename=stable -o APT::FTPArchive::Release::Components=main \
        -o APT::FTPArchive::Release::Architectures="$architecture" release dists/stable >Release
    mv Release dists/stable/Release
    sign --clearsign --output dists/stable/InRelease dists/stable/Release
    sign --detach-sign --output dists/stable/Release.gpg dists/stable/Release
)

say "--- dnf"
cp "$root"/build/package/*.rpm "$out/rpm"
rpmsign --define "_gpg_name $key" --define "__gpg $(command -v gpg)" --addsign "$out"/rpm/*.rpm >/dev/null
createrepo_c --quiet --revision "$SOURCE_DATE_EPOCH" --set-timestamp-to-revision "$out/rpm"
sign --detach-sign --output "$out/rpm/repodata/repomd.xml.asc" "$out/rpm/repodata/repomd.xml"

(
    cd "$out"
    find . -type f ! -name 'SHA256SUMS*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS
)
sign --detach-sign --output "$out/SHA256SUMS.asc" "$out/SHA256SUMS"
say "$out: $(wc -l <"$out/SHA256SUMS") files; how to install from it: docs/packages.md"
