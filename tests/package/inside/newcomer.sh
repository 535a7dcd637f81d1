#!/bin/bash
# newcomer.sh PART: before the reboot (1) and after it (2), run as root in a booted clean Debian that has a Postgres.
source "$(dirname "$0")/lib.sh"
source "$(dirname "$0")/repository.sh"

if [ "$1" = 1 ]; then
    # The README says sudo, which so small a Debian does not have.
    cat >/usr/local/bin/sudo <<'SUDO'
#!/bin/sh
if [ "$1" != -u ]; then exec "$@"; fi
user=$2
shift 2
if [ "$1" != -g ]; then exec runuser -u "$user" -- "$@"; fi
group=$2
shift 2
exec runuser -u "$user" -g "$group" -- "$@"
SUDO
    chmod +x /usr/local/bin/sudo
    systemctl start postgresql.service
    # a dependency that stays is none of the package's files, and neither is what the reader's program needs
    apt install --no-install-recommends libuv1 libpq5 libcurl4 python3 python3-psycopg2 curl >/dev/null
    useradd --create-home app
    export USER=app # who types the page, and whose program it is
    cd /
    serve_repository
    echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/99reader # who answers what apt asks
    mapfile -t lines < <(page_block 'curl -fsSL')
    equal "lines of docs/packages.md that install" "${#lines[@]}" 3
    typed_line() { say "   ${lines[$1]}" && bash -euc "${lines[$1]}" >/root/line.log 2>&1 || fail "$(cat /root/line.log)"; }
    step "docs/packages.md: the list, and without the key apt takes nothing"
    typed_line 1
    holds "apt says why" grep -q "$host/apt stable InRelease' is not signed" <(apt-get update 2>&1)
    typed_line 0
    files >/root/before

    step "docs/packages.md: install"
    typed_line 2
    holds "it came from there" grep -q "$host/apt stable/main" <(apt-cache policy dormouse)
    equal "dormouse.target" "$(property dormouse.target ActiveState)" active
    equal "pools enabled by the package" "$(systemctl list-units --all --plain --no-legend 'dormouse@*' 'dormouse-relay@*' | wc -l)" 0
    equal "wake file system enabled by the package" "$(systemctl is-enabled run-dormouse.wake.mount || true)" disabled
    equal "units that failed" "$(systemctl list-units --state=failed --plain --no-legend 'dormouse*')" ""

    step "the README's step 2, set up"
    typed 2
    equal "path unit" "$(property dormouse@default.path ActiveState)" active
    equal "file system of the wake files, which nobody enabled" "$(property run-dormouse.wake.mount ActiveState)" inactive
    step "step 3, a run"
    command=$(readme 3 "" | sed -n 's/^\$ //p')
    seen=$(bash -euc "$command")
    say "   $command: $(xargs <<<"$seen")"
    equal "its result" "$(tail -n 1 <<<"$seen")" "$(readme 3 "" | tail -n 1)"

    step "step 4, from a program, as the login that setup let in"
    equal "python3-dormouse, which dormouse recommends" "$(dpkg-query --show --showformat='${db:Status-Status}' python3-dormouse)" installed
    readme 4 python >/home/app/enqueue.py
    id=$(runuser -u app -- python3 /home/app/enqueue.py)
    rm /home/app/enqueue.py
    wait_for 20 completed "$id"
    say "ok: from Python"
    step "step 5, a look"
    holds "dormouse status" dormouse status
    step "a run by ring"
    put_to_sleep
    id=$(enqueue count '"ring"')
    wait_for 20 completed "$id"
    say "ok: by ring"

    step "a run by spool"
    source "$(dirname "$0")/spool.sh"
    step "a run by local wake"
    source "$(dirname "$0")/local_wake.sh"

    step "the packaged example"
    cp /usr/share/doc/dormouse/examples/default.toml /etc/dormouse/example.toml
    holds "it can be used as it is" sudo dormouse worker example --check
    rm /etc/dormouse/example.toml

    step "a run by timer, across a reboot"
    # So that the worker of the boot is asleep again before the run is due, and it is the timer that starts it.
    printf '[worker]\nlook_exit = "1s"\n' >>/etc/dormouse/default.toml
    enqueue count '"timer"' --in 45s >/root/delayed
    put_to_sleep
    wait_for 20 armed_is 1
    exit 71
fi

step "after the reboot"
serve_repository
id=$(cat /root/delayed)
wait_for 40 armed_is 1
wait_for 20 asleep default
equal "the run, with the worker of the boot asleep and a timer armed" "$(status_of "$id")" queued
wait_for 60 completed "$id"
# The time itself is meant: it was not done before it was due.
equal "it was not started before its time" "$(sql "SELECT started_at >= run_at FROM dormouse.runs WHERE id = '$id'")" t
sed -i '/^\[worker\]$/,+1d' /etc/dormouse/default.toml

step "upgrade while a run is at work"
printf '[task.slow]\ncommand = ["/bin/sleep", "15"]\n[task.endless]\ncommand = ["/bin/sleep", "3600"]\n' >>/etc/dormouse/default.toml
systemctl restart dormouse@default.service
id=$(enqueue slow)
running() { [ "$(status_of "$1")" = running ]; }
wait_for 20 running "$id"
socket=$(property dormouse@default.socket ActiveEnterTimestampMonotonic)
worker=$(property dormouse@default.service MainPID)
apt install --reinstall dormouse
equal "state of the run when apt has ended" "$(status_of "$id")" running
another_worker() { case $(property dormouse@default.service MainPID) in 0 | "$worker") return 1 ;; esac; }
wait_for 60 another_worker
wait_for 60 completed "$id"
equal "its attempts" "$(sql "SELECT attempts FROM dormouse.runs WHERE id = '$id'")" 1
equal "the doorbell stayed up" "$(property dormouse@default.socket ActiveEnterTimestampMonotonic)" "$socket"

step "upgrade while a run is at work that does not end: it goes on, and nobody waits for it"
id=$(enqueue endless)
wait_for 20 running "$id"
worker=$(property dormouse@default.service MainPID)
apt install --reinstall dormouse
wait_for 60 another_worker
other=$(enqueue count)
wait_for 20 completed "$other"
equal "the run" "$(status_of "$id")" running

step "a restart of its unit, as after the upgrade of a library: its grace is 30 s"
worker=$(property dormouse@default.service MainPID)
restarted=$SECONDS
systemctl restart dormouse@default.service
wait_for 90 another_worker
say "   the new worker came after $((SECONDS - restarted)) s (aim: 30 s, and 10 s for a handler that does not listen)"
wait_for 20 running "$id"
equal "attempts used up by it" "$(sql "SELECT attempts FROM dormouse.runs WHERE id = '$id'")" 0
sql "UPDATE dormouse.runs SET status = 'canceled' WHERE id = '$id'"

step "upgrade while a pool is asleep, and while the administrator has stopped all"
wait_for 60 state_is dormouse@default.service active
put_to_sleep
apt install --reinstall dormouse
equal "the sleeping worker" "$(property dormouse@default.service ActiveState)" inactive
systemctl stop dormouse.target
apt install --reinstall dormouse
equal "the pools" "$(property dormouse@default.target ActiveState)" inactive
systemctl start dormouse.target
wait_for 20 state_is dormouse@default.socket active

step "remove, while a run is at work and another is due later"
enqueue count --in 1h >/dev/null
id=$(enqueue slow)
wait_for 20 running "$id"
apt remove dormouse
equal "the run" "$(status_of "$id")" completed
equal "units left" "$(systemctl list-units --plain --no-legend 'dormouse*' 'run-dormouse*')" ""
equal "the configuration" "$(ls /etc/dormouse)" default.toml

step "install again: the pool that was enabled comes back"
apt install dormouse
wait_for 20 state_is dormouse@default.socket active
id=$(enqueue count)
wait_for 20 completed "$id"

step "purge, with a spooled run that was never sent"
systemctl stop dormouse@default.target
wait_for 60 asleep default
install -d -o dormouse -g dormouse /var/spool/dormouse/default
echo '{"task": "count"}' >/var/spool/dormouse/default/unsent.json
apt purge dormouse python3-dormouse
files >/root/after
equal "files that the package left" "$(diff /root/before /root/after | sed -n 's/^[<>] //p' | xargs)" \
    "/etc/dormouse /etc/dormouse/default.toml /var/spool/dormouse /var/spool/dormouse/default /var/spool/dormouse/default/unsent.json"
rm -r /etc/dormouse /var/spool/dormouse
equal "units that failed" "$(systemctl list-units --state=failed --plain --no-legend 'dormouse*')" ""
holds "the user stays" id dormouse >/dev/null

step "a second purge finds nothing to keep"
apt install dormouse
apt purge dormouse python3-dormouse
files >/root/after
equal "files that the package left" "$(diff /root/before /root/after | sed -n 's/^[<>] //p' | xargs)" ""
step "the end"
