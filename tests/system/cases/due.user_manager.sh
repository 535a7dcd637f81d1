#!/bin/bash
# The helper under a user's manager: an ordinary user arms a timer that starts a service of theirs, with no target and no root.
source "$(dirname "$0")/../lib.sh"
user=due-user
id $user >/dev/null 2>&1 || useradd --create-home $user
uid=$(id -u $user)
systemctl start "user@$uid.service"
at_end "systemctl stop user@$uid.service"
as_user() { runuser -u $user -- env XDG_RUNTIME_DIR="/run/user/$uid" "$@"; }
helper() {
    as_user SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0 /usr/lib/dormouse/dormouse-due --user \
        --runtime-directory "/run/user/$uid/dormouse" --unit woken.service --target none mine
}
state=/run/user/$uid/dormouse
as_user mkdir -p "$state/mine" "/home/$user/.config/systemd/user"
printf '[Service]\nType=oneshot\nExecStart=/usr/bin/touch %%t/woken\n' >"/home/$user/.config/systemd/user/woken.service"
as_user systemctl --user daemon-reload

as_user sh -c "echo 500 >$state/mine/due"
say "   $(helper)"
wait_for 20 test -e "/run/user/$uid/woken"
say "ok: the service was started"
as_user sh -c "echo 3600000 >$state/mine/due"
say "   $(helper)"
as_user sh -c "echo none >$state/mine/due"
say "   $(helper)"
gone() { [ -z "$(as_user systemctl --user list-units --all --plain --no-legend 'dormouse-due-mine-*.timer')" ]; }
wait_for 20 gone
equal "state left over" "$(ls "$state")" mine
