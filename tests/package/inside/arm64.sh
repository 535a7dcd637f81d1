#!/bin/bash
# arm64.sh PACKAGES: run as root in an arm64 Debian without a running systemd; everything in it is of that architecture.
source "$(dirname "$0")/lib.sh"
equal "machine" "$(uname -m)" aarch64

step "install"
apt install "$(compgen -G "$1/dormouse_*.deb")" "$(compgen -G "$1/python3-dormouse_*.deb")"
say "   $(dormouse --version)"

step "a Postgres"
bin=$(compgen -G '/usr/lib/postgresql/*/bin')
install -d -o postgres /tmp/db
as_postgres() { (cd / && runuser -u postgres -- "$@"); }
as_postgres "$bin/initdb" --pgdata=/tmp/db --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/tmp/initdb.log
printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '/tmp/db'" "fsync = off" >>/tmp/db/postgresql.conf
as_postgres "$bin/pg_ctl" --pgdata=/tmp/db --wait --timeout=120 --log=/tmp/db/log start >/dev/null
url="postgresql://postgres@/postgres?host=/tmp/db"
dormouse migrate --database-url "$url" >/tmp/migrate.log 2>&1 || { cat /tmp/migrate.log; fail "migrate"; }

step "a pool with a program, and with a function in Python"
install -d /srv/app
cp "$tree/examples/handlers/hello.py" /srv/app/hello.py
cat >/etc/dormouse/default.toml <<TOML
[database]
url = "$url"
[task.count]
command = ["/usr/bin/wc", "-c"]
[task.hello]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/hello.py"]
TOML
chmod 755 /tmp/db # the worker's user reaches the socket
setpriv --reuid=dormouse --regid=dormouse --init-groups dormouse worker default >/tmp/worker.log 2>&1 &
worker=$!
on_end() {
    local code=$?
    [ "$code" = 0 ] || tail -n 40 /tmp/worker.log /tmp/db/log
    kill "$worker" 2>/dev/null || true
    as_postgres "$bin/pg_ctl" --pgdata=/tmp/db --mode=immediate stop >/dev/null 2>&1 || true
}
trap on_end EXIT
result_of() { runuser -u dormouse -- dormouse enqueue "$@" --wait=120s 2>/tmp/enqueue.log | tail -n 1; }
equal "a run of a program" "$(result_of count '{"hello": "world"}')" 18
equal "a run of a function in Python" "$(result_of hello '{"name": "arm64"}')" '{"hello": "arm64"}'
status_of() { as_postgres psql -XAtq -h /tmp/db -c "SELECT string_agg(DISTINCT status, ' ') FROM dormouse.runs"; }
equal "what the runs are" "$(status_of)" completed
kill -TERM "$worker"
code=0
wait "$worker" || code=$?
equal "the worker's exit code, told to stop" "$code" 0

step "unit_tests"
# What qemu-user does otherwise than a kernel. Its vfork is a fork, so a child cannot tell what it could not start.
not_here=(child/a_failed_start_leaves_nothing_to_reap_and_no_descriptor due/a_program_is_given_its_exit_code_and_nothing_else
    exec/arguments_too_long_for_the_kernel_do_not_start exec/what_cannot_be_started_says_so_from_a_later_turn
    exec/what_is_too_long_in_the_configuration_is_named_and_no_run_is_blamed
    rehearsal/a_command_is_found_as_exec_would_find_it_and_is_not_started)
# A process is the emulator to /proc, its memory is the emulator's, and where files are used up it gives descriptor 0 for a pidfd.
not_here+=(child/proc_tells_session_parent_and_environment child/what_is_spawned_leads_a_session_of_its_own
    child/spawning_costs_no_more_when_there_is_much_memory exec_stop/a_handler_that_fills_its_memory_fails_and_takes_nobody_with_it
    open_files/more_runs_than_the_soft_limit_allows_and_each_has_the_limit_the_worker_was_started_with)
# Too slow for the deadlines of these.
not_here+=(in_process/a_hundred_thousand_short_runs_all_come_back_once warm_trouble exec_control/a_flood_of_nonsense_is_bounded_by_the_log
    rehearsal/one_that_is_slow_is_killed_when_the_time_is_up_and_one_that_is_too_slow_is_a_problem
    spool/of_very_many_files_the_first_are_looked_at_and_those_that_have_to_wait_hold_up_nobody)
for one in "${not_here[@]}"; do say "   not under qemu-user: $one"; done
(cd / && "$tree/build/dev-arm64/tests/unit_tests" '--run_test=*' "${not_here[@]/#/--run_test=!}" --log_level=test_suite --color_output=no) >/tmp/unit.log 2>&1 && code=0 || code=$?
grep -E 'error: |fatal error|No errors|failures? (is|are)' /tmp/unit.log | tail -n 60
exit "$code"
