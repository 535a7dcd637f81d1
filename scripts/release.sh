#!/bin/bash
# ./dev release [--key KEY] [--arch amd64,arm64] [DIRECTORY]
# Builds the packages and lays out what a static host serves, in build/release-VERSION or DIRECTORY: a signed apt repository (apt/), a
# signed dnf repository (rpm/), the sources, the clients for pip and npm, an SBOM for each architecture, checksums of all of it with their
# signature, and dormouse.asc, the key to check them with. What is not committed is refused: a release is what its commit says. The same
# commit gives the same bytes on the same Debian, the signatures too, by the same RSA or Ed25519 key.
#   --key KEY     a secret key of your gpg (a name, an address, a fingerprint). Instead of it DORMOUSE_RELEASE_KEY may have the secret key
#                 itself, as gpg --armor --export-secret-keys prints it: for CI
#   --arch LIST   for these architectures alone. By default both: this machine's, and the other one cross-built. Where that cannot be, it
#                 says what it left out, and why
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

key=
directory=
architectures=amd64,arm64
while [ "$#" -gt 0 ]; do
    case $1 in
    --key) key=${2:?"--key takes a key of your gpg"}; shift ;;
    --arch) architectures=${2:?"--arch takes architectures of Debian: amd64, arm64 or both, with a comma"}; shift ;;
    -*) die "release: there is no option $1" ;;
    *) directory=$1 ;;
    esac
    shift
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$key" ] && [ -n "${DORMOUSE_RELEASE_KEY:-}" ]; then
    export GNUPGHOME=$work/gnupg
    trap 'gpgconf --kill all 2>/dev/null; rm -rf "$work"' EXIT
    mkdir -m 700 "$GNUPGHOME"
    gpg --batch --quiet --import <<<"$DORMOUSE_RELEASE_KEY" 2>"$work/said" || die "release: DORMOUSE_RELEASE_KEY is no key for gpg: $(tail -n 1 "$work/said")"
    key=$(gpg --batch --with-colons --list-secret-keys | awk -F: '/^fpr:/ { print $10; exit }')
fi
unset DORMOUSE_RELEASE_KEY # nothing that is built sees it
for tool in gpg:gnupg apt-ftparchive:apt-utils createrepo_c:createrepo-c rpmsign:rpm npm:npm; do
    command -v "${tool%:*}" >/dev/null || die "release: ${tool%:*} is missing (Debian package ${tool#*:}; ./dev setup)"
done
[ -n "$key" ] || die "release: repositories are signed: --key KEY, one that gpg --list-secret-keys shows"
# Now and not after the build: that it is there, has not expired, and gives its signature.
gpg --batch --local-user "$key" --detach-sign </dev/null >/dev/null 2>"$work/said" ||
    die "release: gpg signs nothing with the key \"$key\" (gpg --list-secret-keys): $(tail -n 1 "$work/said")"
git() { command git -c safe.directory='*' -c tar.umask=0022 -C "$root" "$@"; }
[ -z "$(git status --porcelain)" ] || die "release: commit or put away what git status shows"

version=$(sed -n 's/^project(dormouse VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) # the time in every file that has one
export SOURCE_DATE_EPOCH
out=$(realpath -m "${directory:-$root/build/release-$version}")
[ ! -e "$out" ] || [ -f "$out/SHA256SUMS" ] || die "release: $out exists and is no release"
umask 022

this=$(dpkg --print-architecture)
built=()    # the architectures
packages=() # and where their packages are
left_out=()
for architecture in amd64 arm64; do
    if [[ ,$architectures, != *,$architecture,* ]]; then
        left_out+=("$architecture: --arch $architectures does not name it")
    elif [ "$architecture" = "$this" ]; then
        "$root/scripts/package.sh"
        built+=("$architecture") packages+=("$root/build/package")
    elif ! grep -q "\"release-$architecture\"" "$root/CMakePresets.json"; then
        left_out+=("$architecture: it is built on such a machine only, and this one is $this")
    else
        code=0
        "$root/scripts/package.sh" --arch "$architecture" >"$work/log" || code=$?
        cat "$work/log"
        case $code in
        0) built+=("$architecture") packages+=("$root/build/package-$architecture") ;;
        77) left_out+=("$architecture: $(sed -n 's/^SKIPPED: //p' "$work/log")") ;;
        *) die "release: the packages for $architecture were not built, see above; without them: --arch $this" ;;
        esac
    fi
done
say_left_out() { for one in "${left_out[@]}"; do say "LEFT OUT $one"; done; }
[ "${#built[@]}" != 0 ] || {
    say_left_out
    die "release: no architecture is left to release"
}
rm -rf "$out"
"$root/scripts/release_repositories.sh" "$key" "$out" "${packages[@]}"

say "--- sources, clients, SBOM"
git archive --prefix="dormouse-$version/" HEAD | gzip -9n >"$out/dormouse-$version.tar.gz"
"$root/scripts/release_clients.sh" "$out"
for architecture in "${built[@]}"; do
    sbom=("$root/scripts/sbom.py" "$root/build/release" "$version")
    if [ "$architecture" != "$this" ]; then sbom=("$root/scripts/cross.sh" "$architecture" "$root/scripts/sbom.py" "$root/build/release-$architecture" "$version"); fi
    "${sbom[@]}" >"$out/dormouse-$version-$architecture.spdx.json"
done

(
    cd "$out"
    find . -type f ! -name 'SHA256SUMS*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS
)
"$root/scripts/release_sign.sh" "$key" --detach-sign --output "$out/SHA256SUMS.asc" "$out/SHA256SUMS"
say "$out: $(wc -l <"$out/SHA256SUMS") files, for ${built[*]}; how to install from it: docs/packages.md"
say_left_out
