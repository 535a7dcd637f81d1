# shellcheck shell=sh
# %preun: $1 is how many will be left: 0 at a removal, 1 at an upgrade.
if [ "$1" = 0 ] && [ -d /run/systemd/system ]; then
    /usr/lib/dormouse/pools stop || :
fi
