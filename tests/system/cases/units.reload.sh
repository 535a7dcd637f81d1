#!/bin/bash
# A file that is edited while the worker is awake: the same process takes it over, a long run goes on, a broken one changes nothing, and
# systemctl reload says so.
source "$(dirname "$0")/../lib.sh"
need_worker
pool=edited
service=dormouse@$pool.service
use_pool $pool
new_database $pool
base='concurrency = 2
[task.long]
command = ["/bin/sh", "-c", "while ! test -e /tmp/edited.done; do sleep 0.1; done"]'
at_end rm -f /tmp/edited.done
mkdir -p /etc/systemd/system/$service.d
printf '[Service]\nPrivateTmp=no\n' >/etc/systemd/system/$service.d/tmp.conf
at_end "rm -rf /etc/systemd/system/$service.d; systemctl daemon-reload"
systemctl daemon-reload
configure $pool <<<"$base"
systemctl start dormouse@$pool.target
long=$(enqueue long)
ring $pool
running() { [ "$(status_of "$long")" = running ]; }
wait_for 20 running
main=$(property $service MainPID)
now_is_then
configure $pool <<<"$base
[task.added]
command = [\"/bin/true\"]"
wait_for 10 has_said $pool configuration_taken_over
added=$(enqueue added)
wait_for 10 completed "$added"
equal "the long run" "$(status_of "$long")" running
equal "the process" "$(property $service MainPID)" "$main"
# broken
now_is_then
cp /etc/dormouse/$pool.toml /tmp/edited.good
at_end rm -f /tmp/edited.good
echo 'no toml' >>/etc/dormouse/$pool.toml
wait_for 10 has_said $pool configuration
code=0
systemctl reload $service 2>/dev/null || code=$?
holds "a broken file: systemctl reload fails" [ $code != 0 ]
equal "the process after it" "$(property $service MainPID) $(property $service ActiveState)" "$main active"
again=$(enqueue added)
wait_for 10 completed "$again"
cp /tmp/edited.good /etc/dormouse/$pool.toml
systemctl reload $service
wait_for 10 has_said $pool configuration_taken_over
# a task that is written beside a worker at work
chown root:dormouse /etc/dormouse/$pool.toml
at_end rm -rf /srv/app
dormouse new python greet --pool $pool >/dev/null
greeting=$(enqueue greet "'{\"name\": \"you\"}'")
wait_for 20 completed "$greeting"
equal "the process with a new handler" "$(property $service MainPID)" "$main"
# modules that it imports: the line for a deploy
printf 'from dormouse import serve, task\nfrom words import word\n\n@task\ndef greet(payload):\n    return word\n\nserve()\n' >/srv/app/greet.py
greets() { [ "$(sql "SELECT result #>> '{}' FROM dormouse.runs WHERE id = '$1'")" = "$2" ]; }
for word in one two; do
    echo "word = '$word'" >/srv/app/words.py
    now_is_then
    systemctl try-reload-or-restart $service
    wait_for 10 has_said $pool configuration_taken_over
    greeting=$(enqueue greet "'{}'")
    wait_for 20 greets "$greeting" $word
done
touch /tmp/edited.done
wait_for 10 completed "$long"
equal "its attempts" "$(attempts_of "$long")" 1
systemctl stop dormouse@$pool.target
wait_for 20 state_is $service inactive
systemctl try-reload-or-restart $service
equal "a pool that sleeps, after the line for a deploy" "$(property $service ActiveState)" inactive
equal "deaths" "$(deaths)" 0
