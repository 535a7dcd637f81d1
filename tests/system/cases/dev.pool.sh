#!/bin/bash
# dormouse dev, as a person uses it: as root behind the system's manager, as an ordinary user behind their own, and without systemd. A
# run is done, the worker sleeps, a ring wakes it, Ctrl-C leaves nothing behind.
source "$(dirname "$0")/../lib.sh"
need_worker
out=$(mktemp -d)
chmod 777 "$out"
job=
says() { grep -q -- "$1" "$out/said"; }

# shellcheck disable=SC2317 # called at the end
dev_end() {
    if [ -n "$job" ]; then # it has failed
        cat "$out/said"
        interrupt
    fi
    rm -rf "$out"
}
at_end dev_end
# As in a terminal: a session of its own, and Ctrl-C for all of it.
dev() { # dev USER [OPTION…]: in the background
    local who=$1 environment=(HOME=/tmp LANG=C.UTF-8 PATH="$PATH")
    shift
    if [ "$who" != root ]; then environment+=(XDG_RUNTIME_DIR="/run/user/$(id -u "$who")"); fi
    : >"$out/said"
    (cd /tmp && exec setsid runuser -u "$who" -- env -i "${environment[@]}" dormouse dev "$@") >>"$out/said" 2>&1 </dev/null &
    job=$!
}
environment_file() { sed -n 's/.*    \. \(.*env\)$/\1/p' "$out/said"; }
started() { [ -n "$(environment_file)" ]; }
# as USER COMMAND …: in the other terminal
as() {
    local who=$1
    shift
    runuser -u "$who" -- bash -c ". $(environment_file) && \"\$@\"" bash "$@"
}
worker_pid() { pgrep --full --oldest 'dormouse worker dev' || true; }
sleeps() { [ -z "$(worker_pid)" ]; }
interrupt() {
    local group
    group=$(ps -o pgid= --ppid "$job" | head -n 1 | tr -d ' ')
    kill -INT -- "-${group:-$job}" 2>/dev/null || kill -INT -- "-$job"
    if ! timeout 90 tail --pid="$job" --sleep-interval=0.1 --follow /dev/null; then
        ps -e -o pid,ppid,pgid,stat,wchan:20,etimes,args --forest
        fail "dormouse dev has not ended for 90 s after Ctrl-C"
    fi
    job=
}
nothing_is_left() {
    equal "$1: processes" "$(pgrep --full --count "/tmp/dormouse-dev|dormouse worker dev" || true)" 0
    equal "$1: directories" "$(find /tmp -maxdepth 1 -name 'dormouse-dev.*' | wc -l)" 0
    equal "$1: units" "$(systemctl list-units --all --plain --no-legend 'dormouse-dev-*' 'dormouse-due-dev-*' | wc -l)" 0
    if [ -z "${2:-}" ]; then return; fi
    equal "$1: the user's units" "$(runuser -u "$2" -- env XDG_RUNTIME_DIR="/run/user/$(id -u "$2")" \
        systemctl --user list-units --all --plain --no-legend 'dormouse-dev-*' 'dormouse-due-dev-*' | wc -l)" 0
}
cycle() { # cycle WHO
    wait_for 30 started
    equal "$1: a run" "$(as "$1" dormouse enqueue hello '{"a": 1}' --wait=20s 2>/dev/null | tail -n 1)" '{"a": 1}'
    wait_for 20 sleeps
    say "ok: $1: the worker sleeps"
    equal "$1: a run that wakes it" "$(as "$1" dormouse enqueue hello '[2]' --wait=20s 2>/dev/null | tail -n 1)" '[2]'
    later=$(as "$1" dormouse enqueue hello 3 --in 2s 2>/dev/null)
    wait_for 20 sleeps
    wait_for 20 is_completed "$1" "$later"
    say "ok: $1: a run that is due while the worker sleeps"
    wait_for 20 says 'run_completed'
    say "ok: $1: the journal is in the foreground"
}
is_completed() { [ "$(as "$1" dormouse show "$2" --json 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["status"])')" = completed ]; }

# Local wake on this host, and a pool of its own that has the same name: what is waiting for that is none of our business.
at_end "rm -rf /run/dormouse.wake"
install -D /dev/null /run/dormouse.wake/dev

dev root --idle-exit 1s
cycle root
interrupt
nothing_is_left root

useradd --create-home developer 2>/dev/null || true
systemctl start "user@$(id -u developer)"
dev developer --idle-exit 1s
cycle developer
interrupt
nothing_is_left developer developer
systemctl stop "user@$(id -u developer)"
# Ten seconds later logind removes what this user still has in shared memory (RemoveIPC=): no Postgres of theirs may run by then.
wait_for 60 state_is "user-runtime-dir@$(id -u developer).service" inactive
holds "the wake file of the host is still there" test -e /run/dormouse.wake/dev

# Nothing of systemd for this user: it says so, and works all the same.
dev developer
wait_for 30 started
holds "it says that no systemd runs here" says 'no systemd runs here'
equal "without systemd: a run" "$(as developer dormouse enqueue hello '"x"' --wait=20s 2>/dev/null | tail -n 1)" '"x"'
interrupt
nothing_is_left "without systemd"

# A database and a file of one's own.
new_database dev_given
printf '[database]\nurl = "postgresql://pool@127.0.0.1/%s"\n[task.hello]\ncommand = ["/bin/cat"]\n[task.slow]\ncommand = ["/bin/sleep", "3"]\n' "$database" >"$out/pool.toml"
dev root --config "$out/pool.toml" --idle-exit 1s
wait_for 30 started
equal "a database of one's own: a run" "$(as root dormouse enqueue hello 4 --wait=20s --pool dev 2>/dev/null | tail -n 1)" 4
equal "it is in that database" "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'")" 1
killed_and_taken_back() { # killed_and_taken_back WHAT: the lease is 5 minutes, so nobody waits for its end
    as root dormouse enqueue slow --pool dev >/dev/null 2>&1
    wait_for 20 says 'run_dispatched: slow'
    kill -KILL "$(worker_pid)"
    wait_for 60 says 'runs_rescued'
    wait_for 60 says 'run_completed: slow'
    say "ok: $1: a run whose worker is killed is taken back by the next one"
}
killed_and_taken_back "a database of one's own"
# Work that is due, and a ring that its worker has not taken when it is ended: either would start the next one.
fourth_is_at_work() { [ "$(grep -c 'run_dispatched: slow' "$out/said")" -ge 4 ]; }
for _ in {1..8}; do as root dormouse enqueue slow --pool dev >/dev/null 2>&1; done
wait_for 20 fourth_is_at_work
kill -STOP "$(worker_pid)"
as root dormouse wake dev >/dev/null
interrupt
nothing_is_left "a database of one's own"

dev root --config "$out/pool.toml" --foreground
wait_for 30 started
killed_and_taken_back "in the foreground"
interrupt
nothing_is_left "in the foreground"

# The same database on the command line, and no file.
dev root --database-url "postgresql://pool@127.0.0.1/$database" --idle-exit 1s
wait_for 30 started
equal "--database-url: a run" "$(as root dormouse enqueue hello 5 --wait=20s 2>/dev/null | tail -n 1)" 5
equal "it is in that database, too" "$(sql "SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND task = 'hello'")" 2
interrupt
nothing_is_left "--database-url"
