#!/bin/bash
# Whatever a worker puts where the due file belongs: it is not believed, not followed, not waited for, and taken away;
# the pool looks soon instead. The helper itself never fails over it.
source "$(dirname "$0")/../lib.sh"
pool=due-forged
use_pool $pool
stand_in $pool <<'WORKER'
. /etc/dormouse-test/forge.sh
WORKER
printf '1\n' >/etc/dormouse-test/secret
chmod 0644 /etc/dormouse-test/secret
echo 'due none' >/etc/dormouse-test/forge.sh
systemctl start dormouse@$pool.target
wait_for 20 starts_are $pool 1
wait_for 20 asleep $pool

unknown() { # unknown WHAT COMMAND: the worker runs the command and exits 0
    printf '%s\n' "$2" >/etc/dormouse-test/forge.sh
    run_once $pool
    wait_for 20 armed_count_is $pool 1
    equal "$1: armed for" "$(armed_for "$(armed $pool)")" 10s
    equal "$1: the unit ended with" "$(property dormouse@$pool.service Result)" success
    say "   $(helper_said $pool)"
    known none
}
known() { # resets the count of unknown ends
    printf 'rm -rf due; due %s\n' "$1" >/etc/dormouse-test/forge.sh
    run_once $pool
}
unknown "no file" 'true'
unknown "symbolic link" 'ln -s /etc/dormouse-test/secret due'
unknown "dangling link" 'ln -s /nowhere due'
unknown "hard link" 'due 5; ln due other; rm -f ../other'
unknown "FIFO" 'mkfifo due'
unknown "empty directory" 'mkdir due'
unknown "full directory" 'mkdir -p due/x'
unknown "socket" 'python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"due\")"'
unknown "letters" 'due soon'
unknown "10^30" 'due 1000000000000000000000000000000'
unknown "2^64" 'due 18446744073709551616'
unknown "the past" 'due -5000'
unknown "plus" 'due +5'
unknown "fraction" 'due 5.5'
unknown "hexadecimal" 'due 0x10'
unknown "two lines" 'due "5
6"'
unknown "blank" 'due " 5"'
unknown "empty" ': >due'
unknown "zero byte" 'printf "5\0\n" >due'
unknown "100 MB" 'truncate -s 100M due'
equal "the linked file is untouched" "$(cat /etc/dormouse-test/secret)" 1

# The helper is root: what its worker may not read itself is the worker's word all the same.
printf 'due 60000; chmod 000 due\n' >/etc/dormouse-test/forge.sh
run_once $pool
wait_for 20 armed_count_is $pool 1
equal "a file without permissions is read" "$(armed_for "$(armed $pool)")" 1min
known none

known 18446744073709551615
wait_for 20 armed_count_is $pool 1
equal "the largest number is cut to 366 days" "$(armed_for "$(armed $pool)")" "1y 18h"
