# shellcheck shell=sh
# %post: $1 is how many of this package there are now: 1 installed, 2 upgraded.
systemd-sysusers dormouse.conf
systemd-tmpfiles --create dormouse.conf || :
if [ -d /run/systemd/system ]; then
    /usr/lib/systemd/systemd-sysctl --prefix=/fs/inotify || : # a container may not
    systemctl --system daemon-reload || :
    if [ "$1" = 1 ]; then
        /usr/lib/dormouse/pools start || :
    else
        /usr/lib/dormouse/pools renew || :
    fi
fi
