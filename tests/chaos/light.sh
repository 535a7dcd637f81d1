#!/bin/sh
# light.sh HOST: as handler.sh does, for a load in which the handlers are not to be what the machine is busy with. Without a clock of its
# own, so its marks have the seconds since boot, rounded down to hundredths.
read -r up _ </proc/uptime
about="$DORMOUSE_RUN_ID $DORMOUSE_FENCE $DORMOUSE_ATTEMPT $1 light +$up"
printf '%s\n' "start $about" >>/srv/chaos/marks
printf '%s\n' "end $about" >>/srv/chaos/marks
printf '{"fence": "%s"}\n' "$DORMOUSE_FENCE"
