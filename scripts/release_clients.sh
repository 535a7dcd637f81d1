#!/bin/bash
# release_clients.sh DIRECTORY: the clients as package managers take them, into DIRECTORY: for pip a wheel and a source archive, for npm a
# package, each with the licence in it. Without a network. The same tree and SOURCE_DATE_EPOCH give the same bytes.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

mkdir -p "$1"
out=$(realpath "$1")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date +%s)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
# Debian's Python, whose setuptools ./dev setup installs; another one may come first in PATH.
/usr/bin/python3 -c 'import setuptools, wheel' 2>/dev/null || die "the wheel needs Debian packages python3-setuptools and python3-wheel (./dev setup)"
command -v npm >/dev/null || die "the package for npm needs npm (./dev setup)"

# The files of the tree, with the same modes and times whoever checked them out.
while IFS= read -r file; do install -D -m 644 "$root/$file" "$work/$file"; done < <(tree_files 'clients/python/*' 'clients/node/*')
for client in python node; do install -m 644 "$root/LICENSE" "$work/clients/$client/LICENSE"; done

log=$work/log
build='import sys; from setuptools import build_meta as build; getattr(build, "build_" + sys.argv[1])(sys.argv[2])'
built() { env -C "$work/clients/python" /usr/bin/python3 -c "$build" "$@" >"$log" 2>&1; }
mkdir "$work/sdist"
if ! built wheel "$out" || ! built sdist "$work/sdist"; then
    cat "$log" >&2
    die "setuptools made no wheel and no source archive of clients/python"
fi
# setuptools writes the time of this moment and the user into it, and older ones the name of the project with a hyphen.
mkdir "$work/unpacked"
tar -xzf "$work"/sdist/*.tar.gz -C "$work/unpacked" --no-same-owner
name=$(basename "$out"/dormouse_worker-*-py3-none-any.whl -py3-none-any.whl)
mv "$work"/unpacked/dormouse?worker-* "$work/$name"
tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar -c "$name" | gzip -9n >"$out/$name.tar.gz"

HOME=$work npm_config_offline=true npm_config_update_notifier=false npm pack --silent --pack-destination "$out" "$work/clients/node" >"$log" 2>&1 || {
    cat "$log" >&2
    die "npm pack made no package of clients/node"
}
