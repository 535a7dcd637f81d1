#!/bin/bash
# dormouse new, as root on a host with the clients as they are installed: each kind of handler is written, tried as the worker's account
# and not as root, and is a task of the pool as it is.
source "$(dirname "$0")/../lib.sh"
need_worker
pool=fresh
use_pool $pool
new_database fresh
configure $pool <<<"$short"
chown root:dormouse /etc/dormouse/$pool.toml
chmod 640 /etc/dormouse/$pool.toml
at_end rm -rf /srv/app /etc/dormouse/fresh.toml
rm -rf /srv/app /tmp/who-tried
echo 'id -un >>/tmp/who-tried' >/etc/note-who
at_end rm -f /etc/note-who /tmp/who-tried
printf '[environment]\nBASH_ENV = "/etc/note-who"\n' >>/etc/dormouse/$pool.toml
kinds=(python)
if [ "$(node -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0)" -ge 18 ]; then kinds+=(node); else say "SKIPPED: node: there is no node 18 or later"; fi
if command -v jq >/dev/null; then kinds+=(shell); else say "SKIPPED: shell: there is no jq"; fi
for kind in "${kinds[@]}"; do
    said=$(dormouse new "$kind" "greet_$kind" --pool $pool)
    say "$said"
    holds "$kind: its first try" grep -q '^{"hello":"you"}$' <<<"$said"
done
said=$(dormouse new cpp greet_cpp --pool $pool) # built where the library is; here its package is not installed
say "$said"
holds "cpp: what is missing is named" grep -q '^# not built, missing: .*libdormouse-dev' <<<"$said"
holds "cpp: the program is written" grep -q 'worker.task<Payload>("greet_cpp"' /srv/app/greet_cpp/greet_cpp.cpp
if [[ ${kinds[*]} = *shell* ]]; then equal "who tried it" "$(sort -u /tmp/who-tried)" dormouse; fi
equal "the pool's file" "$(stat -c '%U:%G %a' /etc/dormouse/$pool.toml)" "root:dormouse 640"
# what is there stays, and in the unit it is the same account
printf 'import os\nfrom dormouse import serve, task\n\n@task\ndef who(payload):\n    return {"uid": os.getuid()}\n\nserve()\n' >/srv/app/who.py
code=0
said=$(dormouse new python who --pool $pool 2>&1) || code=$?
equal "a file that is there: exit code" "$code" 9
rm /srv/app/greet_python.py
sed -i 's|greet_python.py|who.py|; s|task.greet_python|task.who|' /etc/dormouse/$pool.toml
systemctl start dormouse@$pool.target
for kind in "${kinds[@]:1}"; do
    run=$(enqueue "greet_$kind" "'{\"name\": \"you\"}'")
    ring $pool
    wait_for 30 completed "$run"
    equal "$kind: the result" "$(sql "SELECT result FROM dormouse.runs WHERE id = '$run'")" '{"hello": "you"}'
done
run=$(enqueue who)
ring $pool
wait_for 30 completed "$run"
equal "who it is" "$(sql "SELECT result ->> 'uid' FROM dormouse.runs WHERE id = '$run'")" "$(id -u dormouse)"
# without root it says the way
code=0
said=$(runuser -u nobody -- dormouse new python later --pool $pool 2>&1) || code=$?
holds "somebody else is told the way: $said" grep -q "sudo" <<<"$said"
holds "and gets an error" [ $code != 0 ]
# the only pool here, as far as they can tell
others=$(mktemp -d /etc/dormouse-others.XXXXXX)
at_end "mv $others/*.toml /etc/dormouse/; rmdir $others"
for file in /etc/dormouse/*.toml; do [ "$file" = /etc/dormouse/$pool.toml ] || mv "$file" "$others"; done
# each command that needs the pool's file says the one line that works, as it was typed
for command in "runs --limit 3" "try who" "config $pool" "enqueue who '{\"a b\": 1}' --pool $pool" "status" "logs $run" "worker $pool --check"; do
    code=0
    said=$(runuser -u nobody -- bash -c "dormouse $command" 2>&1 >/dev/null) || code=$?
    line=$(grep -o 'sudo dormouse .*' <<<"$said") || fail "$command says no line: $said"
    equal "the line for $command" "$line" "sudo dormouse $command"
    said=$(bash -c "${line#sudo }" 2>&1) || [ $? = 13 ] || fail "$line: $said"
done
