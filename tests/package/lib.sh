#!/bin/bash
# Sourced by the tests of packages: where things are, and how a tree is listed.
set -Eeuo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
packages=$source_dir/build/package
# The clean root, made once by root.sh: of this machine's release of Debian, or of DORMOUSE_CLEAN_RELEASE.
export clean_root=$source_dir/build/package-root${DORMOUSE_CLEAN_RELEASE:+-$DORMOUSE_CLEAN_RELEASE}
# shellcheck source=/dev/null
this_release() { (. /etc/os-release && [ "$ID" = debian ] && printf '%s\n' "${VERSION_CODENAME:-}") || true; }

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; exit 1; }
equal() { [ "$2" = "$3" ] || fail "$1: saw '$2', wanted '$3'"; say "ok: $1: $2"; }
holds() { local what=$1; shift; "$@" || fail "$what: not true: $*"; say "ok: $what"; }
not() { ! "$@"; }
skip() { say "SKIPPED: $*"; exit 77; }

# A release build and a new root file system are not for every day.
only_in_full() { [ -n "${DORMOUSE_FULL:-}" ] || skip "packages are built and tried by ./dev test --full"; }
# package_of KIND [NAME]: the file of a package, by default that of dormouse itself.
package_of() {
    compgen -G "$packages/${2:-dormouse}[-_][0-9]*.$1" || fail "there is no .$1 of ${2:-dormouse} in $packages; ./dev package makes it" >&2
}

# Lays out what ./dev package made as ./dev release does, signed by a key of the moment; sets $repository.
lay_out_repository() {
    repository=$source_dir/build/package-repository
    local home
    home=$(mktemp -d)
    rm -rf "$repository"
    GNUPGHOME=$home gpg --batch --quiet --passphrase '' --quick-generate-key 'a release <release@example.org>' rsa3072 sign never 2>/dev/null
    GNUPGHOME=$home "$source_dir/scripts/release_repositories.sh" release@example.org "$repository" "$packages" >/dev/null
    GNUPGHOME=$home gpgconf --kill all
    rm -rf "$home"
}

# listed DIRECTORY: a tree as compare.py reads it; of directories only those that are empty.
listed() {
    find "$1" -mindepth 1 \( -type l -printf 'link /%P -> %l\n' \) -o \( -type f -printf '%m /%P\n' \) -o \( -type d -empty -printf '%m /%P/\n' \)
}
compare() { python3 "$source_dir/tests/package/compare.py" "$source_dir/packaging/files.txt" "$1"; }

# hardened TREE: each program and library in it, to which dormouse-dbgsym is unpacked, has what the release's flags give.
hardened() {
    local file kind build_id seen=0
    while IFS= read -r file; do
        case $(readelf --file-header "$file" 2>/dev/null) in
        *"(Relocatable file)"*) kind=library build_id=- ;;
        *"Type: "*)
            kind=program
            build_id=$(readelf --notes "$file" | sed -n 's/.*Build ID: //p')
            build_id=$1/usr/lib/debug/.build-id/${build_id:0:2}/${build_id:2}.debug
            ;;
        *) continue ;;
        esac
        say "--- ${file#"$1"}, a $kind"
        python3 "$source_dir/tests/package/hardened.py" "$kind" "$file" "$build_id" || fail "${file#"$1"} has not what the flags of the release give"
        seen=$((seen + 1))
    done < <(find "$1/usr/bin" "$1/usr/lib" -path "$1/usr/lib/debug" -prune -o -type f -print | sort)
    equal "programs and libraries looked at" "$seen" 5
}
