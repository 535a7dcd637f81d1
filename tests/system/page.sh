# Sourced by cases that do what a page says: page and kind are set there. RUN in the page is $run. They are
# typed as root, without a variable of the tests.
# shellcheck shell=bash disable=SC2154 # page, kind: of whoever sources this
told=()

# only_this_pool: the file of $pool is the only one; other cases leave theirs.
only_this_pool() {
    local file others
    others=$(mktemp -d /etc/dormouse-others.XXXXXX)
    at_end "mv -n $others/*.toml /etc/dormouse/ 2>/dev/null; rmdir $others"
    for file in /etc/dormouse/*.toml; do [ "$file" = "/etc/dormouse/$pool.toml" ] || mv "$file" "$others"; done
}
# as_set_up: the pool's file and login as `dormouse setup` leaves them: the server looks who is at the other end of its socket.
as_set_up() {
    mkdir -p /run/postgresql
    ln -sf "$PGHOST/.s.PGSQL.5432" /run/postgresql/
    [ -n "$(sql "SELECT 1 FROM pg_roles WHERE rolname = 'dormouse'")" ] || sql "CREATE ROLE dormouse LOGIN IN ROLE dormouse_worker"
    sed -i '1i local all dormouse peer' "$postgres_data/pg_hba.conf"
    at_end "sed -i 1d $postgres_data/pg_hba.conf; rm -f /run/postgresql/.s.PGSQL.5432"
    psql --no-psqlrc --quiet --dbname=postgres --command="SELECT pg_reload_conf()" >/dev/null
    peer_counts() { not psql --no-psqlrc --username=dormouse --dbname=postgres --command="" 2>/dev/null; }
    wait_for 20 peer_counts
    sed -i "s|^url = .*|url = \"postgresql://dormouse@/$database\"|" "/etc/dormouse/$pool.toml"
    chown root:dormouse "/etc/dormouse/$pool.toml"
    chmod 640 "/etc/dormouse/$pool.toml"
}
sudo() { [ "$1" != -u ] || { local user=$2; shift 2; set -- runuser -u "$user" -- "$@"; }; "$@"; }

# shows COMMAND, LINE…: its output has a line for each, in which "…" is anything.
shows() {
    local command=$1 output line pattern
    output=$(unset PGHOST PGUSER; eval "$command" 2>&1) || true
    shift
    for line in "$@"; do
        pattern=${line//…/$'\x01'}
        pattern=$(sed -e 's/[][\.*^$]/\\&/g' -e $'s/\x01/.*/g' -e 's/^ *//' -e 's/  */ */g' <<<"$pattern")
        grep -q -e "$pattern" <<<"$output" || { printf '%s\n' "$output"; fail "$command does not show: $line"; }
    done
}
# block NAME: the lines of the block below <!-- KIND: NAME -->.
block() {
    awk -v name="<!-- $kind: $1 -->" '$0 == name { found = 1; next } found && /^```/ { if (inside) exit; inside = 1; next } inside' "$page" | grep . ||
        fail "the page has no $kind $1"
}
# typed NAME: the commands of that block, one after the other.
typed() {
    local line command='' lines=()
    local found
    found=$(block "$1") || { say "$found"; exit 1; }
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
