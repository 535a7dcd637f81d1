#!/bin/bash
# A doorbell over TCP, by the drop-in of docs/doorbells.md with another port and other addresses: an address that is allowed rings, of
# a name with several addresses each is tried, and one that is not allowed gets no answer while the pool sleeps on.
source "$(dirname "$0")/../lib.sh"
pool=ring-tcp port=7300
new_pool $pool
wait_for 20 asleep $pool
stop_pool $pool
at_end "rm -rf /etc/systemd/system/dormouse@$pool.socket.d; systemctl daemon-reload"
mkdir -p "/etc/systemd/system/dormouse@$pool.socket.d"
dropin=$(sed -n '/^## From another host/,/^## /{/^```ini/,/^```/{/^```/d;p}}' "$(dirname "$0")/../../../docs/doorbells.md" |
    sed -e "s/=7300\$/=$port/" -e 's|192.0.2.0/24|192.0.2.1|')
say "$dropin"
equal "what was substituted in it" "$(grep -c -e "^ListenStream=$port\$" -e '^IPAddressAllow=localhost 192.0.2.1 ' <<<"$dropin")" 2
printf '%s\n' "$dropin" >"/etc/systemd/system/dormouse@$pool.socket.d/tcp.conf"
systemctl daemon-reload
for address in 192.0.2.1 192.0.2.2; do ip address replace $address/32 dev lo; done # we dial each from itself
grep -q two.test /etc/hosts || printf '%s\n' '192.0.2.9 two.test' '127.0.0.1 two.test' >>/etc/hosts
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool

rings() { # rings WHAT COMMAND …
    local run what=$1
    shift
    wait_for 20 asleep $pool
    run=$(enqueue work)
    "$@" >/dev/null
    wait_for 20 completed "$run"
    say "ok: $what rings"
}
rings "the unix socket, beside the other," ring $pool
socat=$(sed -n "/^socat /s|/default\.sock|/$pool.sock|p" "$(dirname "$0")/../../../docs/doorbells.md")
if command -v socat >/dev/null; then rings "$socat" bash -c "$socat"; else say "SKIPPED: socat, of the page: it is not installed"; fi
rings "an allowed address" dormouse wake --to 192.0.2.1:$port
rings "the second address of a name" dormouse wake --to two.test:$port
if grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; then
    rings "an IPv6 address" dormouse wake --to "[::1]:$port"
else
    say "SKIPPED: an IPv6 address: this machine has no IPv6"
fi

wait_for 20 asleep $pool
# Where the kernel lets no filter into a cgroup systemd says nothing and lets everybody in: so try it.
if systemd-run --quiet --wait --property=IPAddressDeny=any timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/5432' 2>/dev/null; then
    say "SKIPPED: the denied address: IPAddressDeny= has no effect on this machine (no BPF filter in cgroups)"
    exit 0
fi
run=$(enqueue work)
starts=$(activations $pool)
code=0
dormouse wake --to 192.0.2.2:$port 2>/tmp/$pool.denied || code=$?
say "   $(cat /tmp/$pool.denied)"
equal "exit code of a ring that is denied" "$code" 10
equal "worker starts since" "$(($(activations $pool) - starts))" 0
equal "the run still waits" "$(status_of "$run")" queued
dormouse wake --to 192.0.2.1:$port >/dev/null
wait_for 20 completed "$run"
