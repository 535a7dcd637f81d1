#!/bin/bash
# ./dev setup --list: for the demo nothing that only tests, checks and packages need; on a machine that has nothing, and where apt does not know all.
source "$(dirname "$0")/lib.sh"
command -v dpkg-query >/dev/null || skip "needs Debian's dpkg"
nothing=$(mktemp -d)
trap 'rm -rf "$nothing"' EXIT
touch "$nothing/status" "$nothing/available"
export DPKG_ADMINDIR=$nothing
mkdir "$nothing/bin"
cat >"$nothing/bin/apt-cache" <<'SH'
#!/bin/sh
# as on a Debian without clang-19 and spin
shift
for name; do case $name in clang-19 | spin) ;; *) printf '%s:\n  Installed: (none)\n  Candidate: 1.0\n' "$name" ;; esac done
SH
printf '#!/bin/sh\necho "apt-get was called" >&2\nexit 1\n' >"$nothing/bin/apt-get" # --list never does
chmod +x "$nothing/bin/"*
PATH=$nothing/bin:$PATH
"$source_dir/dev" setup --list >"$nothing/all" 2>"$nothing/said"
"$source_dir/dev" setup --list --for-demo >"$nothing/demo" 2>"$nothing/said_demo"
equal "the same for the demo, in another order of words" "$("$source_dir/dev" setup --for-demo --list | cksum)" "$(cksum <"$nothing/demo")"
for name in g++ cmake libuv1-dev libpq-dev libboost-test-dev postgresql systemd-container python3; do
    holds "the demo wants $name" grep -qxF "$name" "$nothing/demo"
done
for name in clang-19 clang-tidy-19 clang-format-19 spin prometheus php-cli ruby golang-go python3-django mkdocs lintian gcovr npm nodejs debootstrap; do
    holds "the demo does without $name" not grep -qxF "$name" "$nothing/demo"
    [ "$name" = npm ] || holds "tests and checks want $name" grep -qxF "$name" "$nothing/all"
done
holds "what apt does not know is named" grep -q "apt does not know: spin clang-19$" "$nothing/said"
equal "and nothing of what the demo needs" "$(cat "$nothing/said_demo")" ""
not "$source_dir/dev" setup --lst 2>"$nothing/said"
holds "an unknown flag is refused" grep -q "setup takes no --lst" "$nothing/said"
