# shellcheck shell=sh
# %postun: $1 is how many are left. What pools and administrators made stays: an RPM knows no purge.
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload || :
fi
if [ "$1" = 0 ]; then
    rm -rf --one-file-system /run/dormouse || :
    for directory in /var/spool/dormouse /var/lib/dormouse; do
        [ ! -d "$directory" ] || find "$directory" -xdev -depth -type d -empty -delete || :
    done
fi
