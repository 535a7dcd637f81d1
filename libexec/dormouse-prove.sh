# The second half of dormouse-prove, sourced by it: makes the pool, hurts it, and gives the account.
# shellcheck shell=bash disable=SC2154 # from there

# --- the end, however it comes --------------------------------------------------------------------------------------------------
dev_pid='' made='' unit='' findings=() kept=''
stop_all() {
    [ -z "$unit" ] || [ "$manager" = none ] || ctl stop "$unit-hold.service" 2>/dev/null || true
    if [ -n "$dev_pid" ]; then
        kill -TERM "$dev_pid" 2>/dev/null || true
        wait "$dev_pid" 2>/dev/null || true
        dev_pid=
    fi
    if [ -n "$made" ]; then
        made=
        ask "$admin" "DROP DATABASE IF EXISTS $database WITH (FORCE)" 2>>"$here/log" ||
            findings+=("the database $database could not be dropped: DROP DATABASE $database WITH (FORCE)")
    fi
}
leave() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    set +e
    stop_all
    for one in "${findings[@]}"; do [ -n "$kept" ] || printf 'dormouse: prove: %s\n' "$one" >&2; done
    if [ $code != 0 ] && [ $code != 130 ] && [ -z "$kept" ]; then
        kept=$(mktemp "${TMPDIR:-/tmp}/dormouse-$pool.XXXXXX.log")
        cp "$here/log" "$kept"
        printf 'dormouse: prove: what the pool said is in %s\n' "$kept" >&2
    fi
    rm -rf "$here"
    exit $code
}
here=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-prove.XXXXXX")
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 755 "$here"
: >"$here/log"

# --- the pool -------------------------------------------------------------------------------------------------------------------
# Two marks of each handler, outside the database.
cat >"$here/handler" <<'HANDLER'
#!/bin/sh
mark() { printf '%s\t%s\t%s\t%s\n' "$1" "$DORMOUSE_RUN_ID" "$DORMOUSE_FENCE" "$(date +%s.%N)" >>"$ledger"; }
ledger=$1
mark begin
read -r seconds || true
sleep "$seconds"
mark end
printf '{"fence": "%s"}\n' "$DORMOUSE_FENCE"
HANDLER
: >"$here/ledger"
: >"$here/book"
: >"$here/violence"
cat >"$here/pool.toml" <<TOML
[worker]
concurrency = 4
lease = "${lease}s"
[task.work]
command = ["/bin/sh", "$here/handler", "$here/ledger"]
max_attempts = 100
backoff = { base = "200ms", max = "1s" }
TOML
[ $root = no ] || chown "$user" "$here/ledger"
if [ -z "$private" ]; then
    if [ -n "${PGPASSWORD:-}" ]; then
        password=${PGPASSWORD//\\/\\\\}
        (umask 077 && printf '*:*:*:*:%s\n' "${password//:/\\:}" >"$here/pgpass")
        [ $root = no ] || chown "$user" "$here/pgpass"
        if [[ $own == *\?* ]]; then own+="&passfile=$here/pgpass"; else own+="?passfile=$here/pgpass"; fi
    fi
    made=yes
    ask "$admin" "CREATE DATABASE $database" 2>>"$here/log" || die 7 "$(tail -n 1 "$here/log")"
    as "$user" "$dormouse" migrate --database-url "$own" >>"$here/log" 2>&1 || die 8 "$(tail -n 1 "$here/log")"
fi
# It removes what it makes when it ends; of sudo's caller it takes the account.
SUDO_USER=$user TMPDIR=$here "$dev" "$dormouse" "$due" "$here/pool.toml" "$own" 1s "" "$pool" >>"$here/log" 2>&1 </dev/null &
dev_pid=$!
is_up_or_gone() { grep -q "dormouse dev: in another terminal" "$here/log" || ! kill -0 $dev_pid 2>/dev/null; }
wait_for $patience is_up_or_gone || die 1 "the pool does not come up"
kill -0 $dev_pid 2>/dev/null || die 1 "the pool cannot be made: $(grep -v '^ok' "$here/log" | tail -n 3)"
work=$(compgen -G "$here/dormouse-$pool.*")
unit=dormouse-$pool-${work##*.}
socket=$work/run/$pool.sock
if [ -n "$private" ]; then
    own="postgresql://dev@/postgres?host=$work/db"
    admin="postgresql://dev@/template1?host=$work/db"
    database=postgres
fi

# --- what is looked at ------------------------------------------------------------------------------------------------------------
ring() { as "$user" "$dormouse" wake "$socket" >/dev/null 2>&1; }
enqueue() { # enqueue COUNT [MORE]: of a tenth of a second to a second and a half each, and MORE seconds
    local i list=
    for ((i = 0; i < $1; i++)); do list+="${list:+, }0.$((RANDOM % 9 + 1)) + $((RANDOM % 2)) * 0.5 + ${2:-0}"; done
    ask "$own" "SELECT dormouse.enqueue('work', pg_catalog.to_jsonb(one)) FROM pg_catalog.unnest(ARRAY[$list]) AS one" 2>>"$here/log" >>"$here/book"
}
worker() {
    local pid
    if [ "$manager" = none ]; then pid=$(cat "$work/worker.pid"); else pid=$(ctl show --value --property=MainPID "$unit.service"); fi
    [ "${pid:-0}" -gt 1 ] && [ -e "/proc/$pid" ] && echo "$pid"
}
# shellcheck disable=SC2046 # several words
handlers() {
    local pid
    pid=$(worker) || return 0
    echo $(cat "/proc/$pid/task"/*/children 2>/dev/null)
}
at_work() { [ -n "$(handlers)" ]; }
count() { echo $#; }
# shellcheck disable=SC2046 # several words
busy() { count $(handlers); }
# begun_after TIME WORKER: how long after it a handler began, that is not WORKER's ("": whoever's)
begun_after() { awk -F '\t' -v at="$1" -v old=":${2:-nobody}" '$1 == "begin" && $4 > at && !index($3, old) { printf "%.2f", $4 - at; found = 1; exit } END { exit !found }' "$here/ledger"; }
begun() { begun_after "$@" >/dev/null; }
sleeps() { [ "$(ctl show --value --property=ActiveState "$unit.service")" = inactive ] && [ -z "$(ctl show --value --property=Job "$unit.service" | tr -d 0)" ]; }
signal_worker() {
    if [ "$manager" = none ]; then kill "-$1" "$(worker)"; else ctl kill --kill-who=main --signal="SIG$1" "$unit.service"; fi
}

# --- violence: each does it, and says in `what` what there was ----------------------------------------------------------------------
kill_worker() { signal_worker KILL; }
kill_handler() {
    local all
    read -ra all <<<"$(handlers)"
    [ ${#all[@]} -gt 0 ] && kill -KILL "${all[chance % ${#all[@]}]}"
}
end_sessions() {
    what+=", $(ask "$own" "SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
        WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'") session(s)"
}
# As a worker of another host that has no runs of its own.
rescue_of_all="EXECUTE rescue('{default}', '{}', 1000, NULL, '00000000-0000-0000-0000-000000000000', 0, '{}')"
freeze_worker() {
    signal_worker STOP
    sleep $((lease + 1)) # a lease has to end
    local back
    back=$(ask "$own" "PREPARE rescue AS $(cat "$queries/rescue.sql"); $rescue_of_all" | cut -f 1)
    struck=$EPOCHREALTIME
    signal_worker CONT
    what+=", $back taken back"
    [ "$back" -gt 0 ]
}
# A ring that comes while it ends takes the place of its stop: then it is started at once.
restart_unit() { ctl restart "$unit.service" || what+=", rung meanwhile"; }
stop_unit() { ctl stop "$unit.service" || what+=", rung meanwhile"; }
lose_ring() {
    # So that systemd does not forget the doorbell while it is off.
    systemd-run "${scope[@]}" --quiet --unit="$unit-hold" --service-type=oneshot --remain-after-exit --property=Wants="$unit.socket" /bin/true
    ctl stop "$unit.socket"
    enqueue 3
    ! ring || findings+=("the doorbell was off, and somebody answered a ring")
    struck=$EPOCHREALTIME
    # As dormouse@POOL.target: the doorbell, then the look that is owed.
    ctl start "$unit.socket" "$unit.service"
    ctl stop "$unit-hold.service"
}
crash_postgres() {
    kill -KILL "$(ask "$own" "SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()
        AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend' LIMIT 1")"
    sleep 0.2 # its last words: what was committed has to be in the book
    wait_for $patience ask "$own" "SELECT" 2>/dev/null
}
# put_to_work KIND: runs that are still at work when it comes to it; anew where the machine was so slow that they had ended before that was seen.
put_to_work() {
    local more=2 tries
    [ "$1" != freeze_worker ] || more=4 # they end while it is frozen
    for ((tries = patience / 10; tries > 0; tries--)); do
        enqueue 8 $more
        ring || true
        ! wait_for 10 at_work || return 0
    done
    return 1
}
steps=() done_kinds=' '
step() { # step KIND
    local kind=$1 what struck at took old='' chance=$RANDOM
    if [ "$kind" = lose_ring ]; then
        wait_for $patience sleeps || { findings+=("the pool did not fall asleep within $patience s, before: ${about[$kind]}"); return 0; }
        what="asleep"
    else
        put_to_work "$kind" || { findings+=("nothing was at work within $patience s, before: ${about[$kind]}"); return 0; }
        what="$(busy) at work"
    fi
    case $kind in kill_worker | restart_unit | stop_unit | lose_ring) old=$(sed -n 's/.*:\([^\t]*\)\t[^\t]*$/\1/; $p' "$here/ledger") ;; esac
    struck=$EPOCHREALTIME at=$EPOCHREALTIME
    if ! $kind 2>>"$here/log"; then
        line "${about[$kind]}: what it was meant for had ended meanwhile"
        [ "${2:-}" = again ] || step "$kind" again
        return 0
    fi
    printf '%s\t%s\n' "$kind" "$at" >>"$here/violence"
    [ "$kind" = lose_ring ] || enqueue 1
    ring || true
    if wait_for $patience begun "$struck" "$old"; then
        took=$(begun_after "$struck" "$old")
        line "${about[$kind]} ($what): a run began $took s later"
        steps+=("{\"kind\": \"$kind\", \"at_s\": $(since "$began" "$struck"), \"what\": \"$what\", \"begun_after_s\": $took}")
        done_kinds+="$kind "
    else
        line "${about[$kind]} ($what): nothing began within $patience s"
        findings+=("nothing began within $patience s after: ${about[$kind]}")
    fi
}
say ""
line "the pool is up"
# Each once, however long it takes; then until the time is up.
until_at=$((SECONDS + seconds))
for ((number = 0; number < ${#kinds[@]} || SECONDS < until_at; number++)); do
    [ ${#findings[@]} = 0 ] || break
    step "${plan[number % ${#plan[@]}]}"
done
for kind in "${kinds[@]}"; do
    [[ $done_kinds == *" $kind "* ]] || skipped[$kind]="did not come to it"
done

# --- the account ------------------------------------------------------------------------------------------------------------------
ring || true
unfinished() { ask "$own" "SELECT pg_catalog.count(*) FROM dormouse.runs WHERE status NOT IN ('completed', 'failed', 'canceled')" 2>>"$here/log"; }
all_ended() { [ "$(unfinished)" = 0 ]; }
wait_for $((patience * 2)) all_ended || true # what has not is found below
line "all runs have ended, or nothing comes any more"
account=$({
    echo "CREATE TEMP TABLE book (run uuid); CREATE TEMP TABLE ledger (kind text, run uuid, fence text, at double precision);"
    echo "CREATE TEMP TABLE violence (kind text, at double precision);"
    for table in book ledger violence; do
        echo "COPY pg_temp.$table FROM STDIN;"
        cat "$here/$table"
        echo '\.'
    done
    cat "$libexec/dormouse-prove.sql"
    echo ";"
} | ask "$own") || die 1 "the account could not be made: $account"
figures=${account%%$'\t'*}
found=${account#*$'\t'}
figure() { sed -n "s/.*\"$1\" : \([^,}]*\).*/\1/p" <<<"$figures"; }
refused=$(grep -c result_refused "$here/log" || true)

# --- sleep ------------------------------------------------------------------------------------------------------------------------
asleep=null processes=- sessions=- made_meanwhile=-
if [ "$manager" = none ]; then
    skipped[sleep]="no systemd runs here, so nothing could wake a sleeping worker"
    about[sleep]="the pool sleeps"
else
    wait_for $patience sleeps || findings+=("the pool did not fall asleep within $patience s")
    sessions_now() { ask "$admin" "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE datname = '$database' AND backend_type = 'client backend'"; }
    # A session that has just ended is counted in the end; autovacuum, which is Postgres's own, makes none.
    sessions_made() { ask "$admin" "SELECT sessions FROM pg_catalog.pg_stat_database WHERE datname = '$database'"; }
    no_session() { [ "$(sessions_now)" = 0 ]; }
    wait_for 10 no_session || true
    sleep 1 # until then the last one is counted
    before=$(sessions_made)
    sleep $wanted # what is measured
    sessions=$(sessions_now)
    made_meanwhile=$(($(sessions_made) - before))
    group=$(ctl show --value --property=ControlGroup "$unit.service")
    processes=0
    [ -z "$group" ] || processes=$(find "/sys/fs/cgroup$group" -name cgroup.procs -exec cat {} + 2>/dev/null | wc -l)
    [ "$processes" = 0 ] || findings+=("asleep: $processes process(es) in $unit.service")
    [ "$sessions" = 0 ] || findings+=("asleep: $sessions session(s) in $database")
    [ "$made_meanwhile" = 0 ] || findings+=("asleep: $made_meanwhile session(s) came to $database within $wanted s")
    asleep="{\"seconds\": $wanted, \"processes\": $processes, \"sessions\": $sessions, \"sessions_made\": $made_meanwhile}"
fi

# --- what is left -----------------------------------------------------------------------------------------------------------------
was_private=$private
stop_all
units=0
[ "$manager" = none ] || units=$(ctl list-units --all --plain --no-legend "*$pool*" | wc -l)
files=$(compgen -G "$here/dormouse-$pool.*" | wc -l) || true
databases=0
[ -n "$was_private" ] || databases=$(ask "$admin" "SELECT pg_catalog.count(*) FROM pg_catalog.pg_database WHERE datname = '$database'")
[ "$units" = 0 ] || findings+=("$units unit(s) are left: systemctl ${scope[*]} list-units --all '*$pool*'")
[ "$files" = 0 ] || findings+=("the pool's directory is left")
[ "$databases" = 0 ] || findings+=("the database $database is left")

# --- the report -------------------------------------------------------------------------------------------------------------------
proven=true
if [ "$found" != '[]' ] || [ ${#findings[@]} != 0 ]; then
    proven=false
    kept=$(mktemp "${TMPDIR:-/tmp}/dormouse-$pool.XXXXXX.log")
    { cat "$here/log"; echo "--- the ledger: mark, run, fence, time ---"; cat "$here/ledger"; } >"$kept"
fi
say ""
say "enqueued $(figure enqueued), completed $(figure completed), lost $(figure lost), doubled $(figure doubled), stuck $(figure stuck)"
say "handlers begun $(figure handlers_begun); begun again after they were interrupted $(figure begun_again), executed to the end again $(figure ended_again): at least once, so both are normal"
worst="none was interrupted"
if [ "$(figure worst_begun_again_s)" != null ]; then
    worst="$(figure worst_begun_again_s) s at the worst (${about[$(figure worst_after | tr -d '"')]})"
fi
say "late endings refused $refused; from violence until an interrupted run began again: $worst"
if [ "$asleep" != null ]; then
    say "asleep: $processes processes, $sessions sessions, $made_meanwhile new ones within $wanted s, so 0 statements; left: $units units, $files directories, $databases databases"
fi
for one in "${!skipped[@]}"; do say "skipped: ${about[$one]}: ${skipped[$one]}"; done
sed -E 's/^\[|\]$//g; s/", "/"\n"/g' <<<"$found" | sed -nE 's/^"(.*)"$/FOUND: \1/p' >&3
for one in "${findings[@]}"; do say "FOUND: $one"; done
if [ $proven = true ]; then say "proven: nothing lost, nothing doubled"; else say "NOT proven; the pool's log and the ledger are in $kept"; fi
if [ -n "$json" ]; then
    quoted() { sed 's/[\\"]/\\&/g; s/.*/"&"/' <<<"$1"; }
    list=${found#[}
    list=${list%]}
    for one in "${findings[@]}"; do list+="${list:+, }$(quoted "$one")"; done
    not_done=
    for one in "${!skipped[@]}"; do not_done+="${not_done:+, }\"$one\": $(quoted "${skipped[$one]}")"; done
    list_of_steps=$(printf '%s, ' "${steps[@]}")
    printf '{"proven": %s, "seed": %s, "systemd": "%s", "private": %s, "steps": [%s], "skipped": {%s}, "account": %s, "late_endings_refused": %s, ' \
        $proven "$seed" "$manager" "$([ -n "$private" ] && echo true || echo false)" "${list_of_steps%, }" "$not_done" "$figures" "$refused"
    printf '"asleep": %s, "left": {"units": %s, "directories": %s, "databases": %s}, "findings": [%s], "log": %s}\n' \
        "$asleep" "$units" "$files" "$databases" "$list" "$([ -n "$kept" ] && quoted "$kept" || echo null)"
fi
[ $proven = true ]
