# Sourced by cases that do what a page says: page and kind are set there. RUN in the page is $run.
# shellcheck shell=bash disable=SC2154 # page, kind: of whoever sources this
told=()

# only_this_pool: commands see the file of $pool alone; other cases leave theirs.
only_this_pool() {
    export DORMOUSE_CONFIG_DIR=/run/page
    mkdir -p $DORMOUSE_CONFIG_DIR
    ln -sf "/etc/dormouse/$pool.toml" $DORMOUSE_CONFIG_DIR/
    at_end "rm -rf $DORMOUSE_CONFIG_DIR"
}
sudo() { [ "$1" != -u ] || { local user=$2; shift 2; set -- runuser -u "$user" -- "$@"; }; "$@"; }

# shows COMMAND, LINE…: its output has a line for each, in which "…" is anything.
shows() {
    local command=$1 output line pattern
    output=$(eval "$command" 2>&1 | sed "s|$DORMOUSE_CONFIG_DIR|/etc/dormouse|g") || true
    shift
    for line in "$@"; do
        pattern=${line//…/$'\x01'}
        pattern=$(sed -e 's/[][\.*^$]/\\&/g' -e $'s/\x01/.*/g' -e 's/^ *//' -e 's/  */ */g' <<<"$pattern")
        grep -q -e "$pattern" <<<"$output" || { printf '%s\n' "$output"; fail "$command does not show: $line"; }
    done
}
# typed NAME: the commands of the block below <!-- KIND: NAME -->, one after the other.
typed() {
    local line command='' lines=()
    local found
    found=$(awk -v name="<!-- $kind: $1 -->" '$0 == name { found = 1; next } found && /^```/ { if (inside) exit; inside = 1; next } inside' "$page")
    [ -n "$found" ] || fail "the page has no $kind $1"
    told+=("$1")
    while IFS= read -r line; do
        line=${line//RUN/${run:-}}
        if [[ $line != '$ '* ]]; then lines+=("$line"); continue; fi
        [ -z "$command" ] || shows "$command" "${lines[@]}"
        command=${line#$ } lines=()
    done <<<"$found"
    shows "$command" "${lines[@]}"
    say "ok: $1"
}
# all_typed: every block of the page has been.
all_typed() {
    local name
    while IFS= read -r name; do
        [[ " ${told[*]} " == *" $name "* ]] || fail "the page has a $kind that nobody tries: $name"
    done < <(sed -n "s/^<!-- $kind: \(.*\) -->$/\1/p" "$page")
}
