#!/bin/bash
# doors.sh ROUNDS: inside the container; a line of JSON for each ring. From the moment before the producer's COMMIT (or rename) to the
# run's started_at, both by the clock of this host; for the timer from when the run was due, for the target from the start of it.
# shellcheck source=tests/system/lib.sh
source "$(dirname "$0")/../../tests/system/lib.sh"
rounds=$1
pool=doors
need_worker
use_pool $pool
systemctl enable --quiet --now run-dormouse.wake.mount
new_database $pool
database_of_all=$database
configure $pool <<<"$short"
cp /etc/dormouse/$pool.toml /etc/dormouse/$pool.usual
mkdir -p /etc/systemd/system/dormouse@$pool.socket.d
printf '[Socket]\nListenStream=127.0.0.1:7300\n' >/etc/systemd/system/dormouse@$pool.socket.d/tcp.conf
systemctl daemon-reload
systemctl start dormouse@$pool.target
wait_for 20 asleep $pool

by_socket() { id=$(enqueue work) && ring $pool; }
by_tcp() { id=$(enqueue work) && dormouse wake --to 127.0.0.1:7300 >/dev/null; }
by_spool() {
    id=$(cat /proc/sys/kernel/random/uuid)
    printf '{"task": "work"}' >/var/spool/dormouse/$pool/."$id.json"
    mv /var/spool/dormouse/$pool/{.,}"$id.json"
}
by_local_wake() { id=$(enqueue work); }
by_relay() { id=$(enqueue work); }
by_timer() { id=$(enqueue work "delay => interval '1500 ms'") && ring $pool; } # the ring lets it arm the timer
by_max_sleep_1s() { id=$(enqueue work); } # right after the pool has fallen asleep: as late as it gets
by_target() { id=$(enqueue work) && from=$EPOCHREALTIME && systemctl start dormouse@$pool.target; } # as at a boot, from there on
listens() { [[ $(property dormouse-relay@$pool.service StatusText) == "listens at "* ]]; }

open_door() {
    case $1 in
    local_wake) dormouse migrate --local-wake --database-url "postgresql:///$database_of_all?host=$PGHOST" >/dev/null ;;
    relay) systemctl start dormouse-relay@$pool.service && wait_for 20 listens ;;
    max_sleep_1s)
        printf '[wake]\nmax_sleep = "1s"\n' >>/etc/dormouse/$pool.toml
        ring $pool
        ;;
    esac
}
close_door() {
    case $1 in
    local_wake) dormouse migrate --no-local-wake --database-url "postgresql:///$database_of_all?host=$PGHOST" >/dev/null ;;
    relay) systemctl stop dormouse-relay@$pool.service ;;
    max_sleep_1s)
        cp /etc/dormouse/$pool.usual /etc/dormouse/$pool.toml
        ring $pool
        wait_for 20 armed_count_is $pool 0
        ;;
    esac
}
for door in socket tcp spool local_wake relay timer max_sleep_1s target; do
    open_door $door
    for ((i = 0; i < rounds; i++)); do
        wait_for 20 asleep $pool
        if [ $door = target ]; then stop_pool $pool; fi
        from=$EPOCHREALTIME
        "by_$door"
        wait_for 30 completed "$id"
        if [ $door = timer ]; then from=$(sql "SELECT extract(epoch FROM run_at) FROM dormouse.runs WHERE id = '$id'"); fi
        sql "SELECT json_build_object('door', '$door', 'ms', round((extract(epoch FROM started_at) - $from) * 1000, 1))
               FROM dormouse.runs WHERE id = '$id'"
    done
    close_door $door
done
