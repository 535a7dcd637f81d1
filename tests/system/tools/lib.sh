#!/bin/bash
# Sourced by the cases tools.*.sh: handlers that call real programs in a real unit, and what has to hold for each of them, whatever it is. A
# program that is not there is skipped by name.
source "$(dirname "$0")/../lib.sh"
here=/srv/$(basename "$0" .sh)
# shellcheck disable=SC2034 # of the cases
tools=$(cd "$(dirname "$0")/../tools" && pwd)

# tools_pool NAME: its tasks are declared by script() or table(), then begin_pool starts it.
tools_pool() {
    pool=$1 unit=dormouse@$1.service
    need_worker
    use_pool "$pool"
    new_database "$pool"
    at_end "rm -rf $here"
    rm -rf "${here:?}"
    install -d -o dormouse -m 0755 "$here"
    printf 'idle_exit = "10min"\nlook_exit = "10min"\n' >/tmp/tables
}
# table NAME <<TOML: of a task, with one attempt
table() { { printf '[task.%s]\nmax_attempts = 1\n' "$1"; cat; } >>/tmp/tables; }
# script NAME [SANDBOX] <<BASH: a task whose handler is this script; it begins where it may write
script() {
    { printf '#!/bin/bash\nset -euo pipefail\ncd %s\n' "$here"; cat; } >"$here/$1.sh"
    chmod 0755 "$here/$1.sh"
    # shellcheck disable=SC2154 # set by script_table or not at all
    table "$1" <<<"command = [\"$here/$1.sh\"]
stdout = \"${stdout:-result}\"
sandbox = { write = [\"$here\"]${2:+, $2} }"
}
begin_pool() {
    configure "$pool" </tmp/tables
    dormouse sandbox "$pool" --install >/dev/null
    systemctl start "dormouse@$pool.target"
}
available() { # available PROGRAM: else its part is skipped by name
    command -v "$1" >/dev/null || { say "SKIPPED: $1 is not installed here"; return 1; }
}

# --- one run -----------------------------------------------------------------------------------------------------------
# queue TASK [ARGUMENTS]: rings; the run is $run
queue() { run=$(enqueue "$@"); ring "$pool"; }
column() { sql "SELECT $1 FROM dormouse.runs WHERE id = '$run'"; }
ended() { [[ $(status_of "$run") =~ ^(completed|failed|canceled)$ ]]; }
told() { dormouse show "$run" --pool "$pool" 2>&1 | tail -n 30; dormouse logs "$run" --pool "$pool" 2>&1 | tail -n 30; }
# works TASK [PAYLOAD]: completes
works() {
    # shellcheck disable=SC2016 # it does
    queue "$1" "${2:+payload => '$2'}"
    wait_for 240 ended
    completed "$run" || { told; fail "$1 is $(status_of "$run"): $(column "error->>'message'")"; }
    say "ok: $1 completes"
}
# fails TASK PATTERN [CLASS]: and says why
fails() {
    queue "$1"
    wait_for 240 ended
    equal "$1: status" "$(status_of "$run")" failed
    equal "$1: class" "$(column "error->>'class'")" "${3:-exit}"
    grep -qE "$2" <<<"$(column "error->>'message'")" || { told; fail "$1: nothing of '$2' in its error: $(column "error->>'message'")"; }
    say "ok: $1: its error says '$(grep -m1 -oE "$2" <<<"$(column "error->>'message'")")'"
}

# --- the end of one that takes long --------------------------------------------------------------------------------------
# Such a script says `began PROGRAMS` first: how many of these work already, for this account.
programs() { pgrep --uid dormouse --exact "$1" || true; } # programs NAMES, a pattern: their pids
none_of() { [ -z "$(programs "$1")" ]; }
any_of() { [ -n "$(programs "$1")" ]; }
begun() { [ -e "$here/$1.begun" ] && [ "$(wc -l <"$here/$1.begun")" -ge "$2" ]; }
begins() { # begins TASK PROGRAMS [ARGUMENTS]: it works
    rm -f "$here/$1.begun"
    queue "$1" "${3:-}"
    wait_for 60 begun "$1" 1
    wait_for 60 any_of "$2"
}
# ends_on_demand TASK PROGRAMS [stays]: a timeout, a cancel, SIGTERM and SIGKILL to the worker. Each time nothing of it is left; after the last two
# it begins again, and never beside itself. A warm process that can end one run by itself stays for others.
ends_on_demand() {
    local task=$1 names=$2 stays=${3:-} first
    begins "$task" "$names" "timeout => '3s'"
    wait_for 60 ended
    equal "$task: timeout" "$(column "status || ' ' || (error->>'class')")" "failed timeout"
    [ -n "$stays" ] || holds "… $names: none is left" none_of "$names"

    begins "$task" "$names"
    dormouse cancel "$run" --pool "$pool" >/dev/null
    [ -n "$stays" ] || wait_for 30 none_of "$names"
    equal "$task: cancel" "$(status_of "$run")" canceled

    # what is lost with its worker has used up an attempt, what is handed back has not
    begins "$task" "$names" "max_attempts => 3"
    systemctl stop "dormouse@$pool.target"
    wait_for 60 asleep "$pool"
    holds "$task: systemctl stop: $names: none is left" none_of "$names"
    equal "… the run, and attempts" "$(column "status || ' ' || attempts")" "queued 0"
    systemctl start "dormouse@$pool.target"
    wait_for 60 begun "$task" 2
    wait_for 60 any_of "$names"

    first=$(programs "$names" | head -n 1)
    kill_worker "$pool"
    wait_for 60 begun "$task" 3
    wait_for 60 any_of "$names"
    holds "$task: SIGKILL of the worker: it is another process" [ "$first" != "$(programs "$names" | head -n 1)" ]
    equal "… how many others worked when it began, each time" "$(tr '\n' ' ' <"$here/$task.begun")" "0 0 0 "
    dormouse cancel "$run" --pool "$pool" >/dev/null
    [ -n "$stays" ] || wait_for 30 none_of "$names"
}
# shellcheck disable=SC2016,SC2034 # expanded in the scripts of the cases
began='began() { pgrep --exact "$1" | wc -l >>"$(basename "$0" .sh).begun" || true; }'

# --- output without bounds ------------------------------------------------------------------------------------------------
# floods TASK: it has written 100 MB for people, and completes; the log says how much is missing, and the worker stays small.
floods() {
    works "$1"
    local missing memory
    missing=$(sql "SELECT text FROM dormouse.logs WHERE run_id = '$run' ORDER BY attempt DESC, line DESC LIMIT 1")
    holds "$1: the log's last line says what is missing: $missing" grep -qE '[0-9]{8,}|[0-9]+ ?Mi?B' <<<"$missing"
    memory=$(awk '/^VmHWM/ { print $2 }' "/proc/$(property "$unit" MainPID)/status")
    holds "… the most memory that the worker had: $((memory / 1024)) MiB of the 73 that docs/handlers.md says" [ "$memory" -lt $((73 * 1024)) ]
}
