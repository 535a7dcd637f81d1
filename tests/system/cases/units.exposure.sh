#!/bin/bash
# Every unit that is installed is clean, and every service of ours exposes little. It looks at the installed files, so that a new
# unit is in it by itself; templates are looked at as an instance.
source "$(dirname "$0")/../lib.sh"
need_worker # the units name it
use_pool exposure
shopt -s nullglob
units=() services=()
for file in /usr/lib/systemd/system/{dormouse,run-dormouse}*.*; do
    [ -f "$file" ] || continue
    unit=$(basename "$file")
    unit=${unit/@./@exposure.}
    units+=("$unit")
    if [[ $unit == *.service ]]; then services+=("$unit"); fi
done
holds "there are units" test "${#units[@]}" -ge 5
# Their manual pages are looked for by man itself.
if command -v man >/dev/null; then man=yes; else man=no; fi
say "   ${units[*]} (--man=$man)"
equal "systemd-analyze verify" "$(systemd-analyze verify --man=$man "${units[@]}" 2>&1)" ""

exposes_little() { systemd-analyze security --no-pager --threshold=15 "$1" >/dev/null; } # in tenths
for service in "${services[@]}"; do
    say "   $(systemd-analyze security --no-pager "$service" | tail -n 1)"
    holds "$service exposes at most 1.5" exposes_little "$service"
done

# What the score does not say, and the worker and its handlers rest on.
setting_is() { # setting_is UNIT SETTING=VALUE
    equal "$1: ${2%%=*}" "$(property "$1" "${2%%=*}")" "${2#*=}"
}
for setting in User=dormouse NoNewPrivileges=yes ProtectSystem=strict; do
    for service in dormouse@exposure.service dormouse-relay@exposure.service; do setting_is $service $setting; done
done
for setting in Delegate=yes KillMode=mixed; do setting_is dormouse@exposure.service $setting; done

# The example of what a handler may be given back is clean too, and does what it says.
example=$(dirname "$0")/../../../examples/handlers-that-need-more.conf
drop_in exposure more <"$example"
equal "systemd-analyze verify with examples/handlers-that-need-more.conf" \
    "$(systemd-analyze verify --man=$man dormouse@exposure.service 2>&1)" ""
# Each line in it took effect: what systemd has is what is written, or differs from what it has without.
systemctl show dormouse@exposure.service >/tmp/exposure.with
systemctl show dormouse@exposure-plain.service >/tmp/exposure.without
took_effect() { # took_effect SETTING=VALUE
    grep -qxF "$1" /tmp/exposure.with || not cmp --silent <(grep "^${1%%=*}=" /tmp/exposure.with) <(grep "^${1%%=*}=" /tmp/exposure.without)
}
while read -r line; do
    holds "$line takes effect" took_effect "$line"
done < <(grep '^[A-Za-z]*=' "$example")
say "   with all of it: $(systemd-analyze security --no-pager dormouse@exposure.service | tail -n 1)"
