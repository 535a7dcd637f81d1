#!/bin/bash
# `dormouse status` says what is so: of a pool that sleeps, that is switched off, whose doorbell is gone, whose file is gone. Each line ends
# with what mends it: it is executed here, and then nothing is left to say.
source "$(dirname "$0")/../lib.sh"
need_worker
pool=truth
new_pool $pool
wait_for 20 asleep $pool
systemctl enable --quiet dormouse@$pool.target
at_end "systemctl disable --quiet dormouse@$pool.target"
# This pool alone: other cases leave theirs switched off.
export DORMOUSE_CONFIG_DIR=/run/truth
mkdir -p $DORMOUSE_CONFIG_DIR
ln -sf /etc/dormouse/$pool.toml $DORMOUSE_CONFIG_DIR/
at_end "rm -rf $DORMOUSE_CONFIG_DIR"
seen() { dormouse status --pool $pool || [ $? = 13 ]; }
line() { seen | sed -n "s/^$pool  *//p" | head -n 1; }
about() { seen | grep "^$1: "; }
code() { local code=0; dormouse status --pool $pool "$@" >/dev/null || code=$?; echo $code; }
mended() { # mended ABOUT: executes what its line says
    local text
    text=$(about "$1")
    say "   $text"
    ${text##*; }
    wait_for 20 asleep $pool
}

holds "asleep with a doorbell" grep -q "here, doorbell .*asleep on" <<<"$(line)"
equal "exit code when all is well" "$(code)" 0
equal "… of --check" "$(code --check)" 0

systemctl stop dormouse@$pool.target
wait_for 20 asleep $pool
say "   $(line)"
holds "switched off" grep -q "here, off .*stopped on" <<<"$(line)"
equal "exit code" "$(code)" 13
equal "… of --check" "$(code --check)" 1
run=$(enqueue work)
equal "… of --check with a run that waits" "$(code --check)" 2
holds "the run is counted" grep -q "1 run due" <<<"$(about "pool $pool")"
mended "pool $pool"
wait_for 20 completed "$run"
equal "exit code afterwards" "$(code)" 0

systemctl mask --quiet dormouse@$pool.path dormouse@$pool.service
systemctl stop dormouse@$pool.path
say "$(about "pool $pool")"
holds "a doorbell that is masked" grep -q "dormouse@$pool.path is masked" <<<"$(about "pool $pool")"
equal "a service that is masked is critical" "$(code --check)" 2
sed 's/.*; //' <<<"$(about "pool $pool")" | sh
wait_for 20 state_is dormouse@$pool.path active
wait_for 20 asleep $pool
equal "exit code afterwards" "$(code)" 0

run=$(enqueue work "delay => '1 hour'")
holds "nobody has rung, so no timer is armed" grep -q "no timer is armed" <<<"$(about "queue default")"
mended "queue default"
equal "exit code afterwards" "$(code)" 0

url=$(sed -n 's/^url = "\(.*\)"/\1/p' /etc/dormouse/$pool.toml | head -n 1)
rm $DORMOUSE_CONFIG_DIR/$pool.toml
left=$(dormouse status --database-url "$url" || [ $? = 13 ])
say "   $(grep "^$pool " <<<"$left")"
holds "its file is gone" grep -q "^$pool .*no file here" <<<"$left"
holds "so nobody serves its queue" grep -q "^queue default: no pool serves it" <<<"$left"
stop_pool $pool
