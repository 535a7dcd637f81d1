#!/bin/bash
# The same newcomer on the next Debian: what is built on Debian 12 is installed there, too.
source "$(dirname "$0")/lib.sh"
[ "$(this_release)" = bookworm ] || skip "the packages are built on Debian 12 for the next one, and this is not Debian 12"
export DORMOUSE_CLEAN_RELEASE=trixie
exec "$source_dir/tests/package/newcomer.sh"
