#!/bin/bash
# Each need of docs/sandbox.md's table: the handler fails in the unit's sandbox as it is, and does its work with the words for it and the
# drop-in that `dormouse sandbox --install` writes. A program that is not installed here is skipped by name.
# shellcheck disable=SC2016 # what handlers execute is expanded by their shell
source "$(dirname "$0")/../lib.sh"
need_worker
pool=words
use_pool $pool
config=/etc/dormouse/$pool.toml
at_end "rm -rf /srv/words /home/words $config /etc/sudoers.d/words /tmp/words; groupdel words-web; systemctl daemon-reload"
groupadd --force words-web
usermod --append --groups words-web dormouse
install -d -o dormouse -g words-web /srv/words /home/words
install -d -o dormouse -g dormouse -m 0755 /srv/words/app
install -d -g words-web -m 2775 /srv/words/from/shared
install -g words-web /dev/null /srv/words/from/shared/file

need() { # need COMMAND [SANDBOX]: the pool has one task, which executes that by a shell
    printf '[database]\nurl = "postgresql:///nowhere"\n[task.need]\ncommand = ["/bin/bash", "-c", %s]\numask = "0022"\nsandbox = { %s }\n' \
        "'''$1'''" "${2:-}" >$config
}
given() { need "$@"; dormouse sandbox $pool --install >/dev/null; }
works() { dormouse try need --pool $pool --as-pool >/tmp/words 2>&1; }
rows=()
row() { # row NEED PROGRAM COMMAND SANDBOX [silent]: fails now, and its error names a word of it, unless nothing tells; is tried with the words once all of them have failed
    command -v "$2" >/dev/null || { say "SKIPPED: $1: no $2 here"; return 0; }
    need "$3"
    holds "$1: not without" not works
    say "   $(grep -v '^failed after' /tmp/words | head -n 1)"
    if [ -z "${5:-}" ]; then
        any=$(grep -oE '[a-z_]+ =' <<<"$4" | paste -sd '|')
        grep -qE "sandbox = \{ .*($any)" /tmp/words || { cat /tmp/words; fail "$1: its error names none of $any"; }
    fi
    rows+=("$1" "$3" "$4")
}
with_words() {
    while [ $# -gt 0 ]; do
        given "$2" "$3"
        works || { cat /tmp/words; fail "$1: with $3"; }
        say "ok: $1: with $3"
        shift 3
    done
}

row "a file in /srv" touch 'touch /srv/words/app/file' 'write = ["/srv/words/app"]'
row "a program in /home" ls 'ls /home/words' 'home = "read-only"'
row "git in /home" git 'cd /home/words && git init --quiet . && git config user.name a && git config user.email a@b && git commit --quiet --allow-empty -m a' \
    'home = "read-only", write = ["/home/words"]'
row "all of /home" touch 'touch /home/words/file' 'home = "read-write"'
row "a group's file" chgrp 'touch /srv/words/app/a && chgrp words-web /srv/words/app/a' 'write = ["/srv/words/app"], ownership = true'
row "rsync -a" rsync 'rsync -a /srv/words/from/ /srv/words/app/' 'write = ["/srv/words/app"], ownership = true'
row "git --shared" git 'rm -rf /srv/words/app/r && git init --quiet --bare --shared=group /srv/words/app/r' 'write = ["/srv/words/app"], ownership = true'
row "nice" nice '[ "$(nice -n 5 nice)" = "$(($(nice) + 5))" ]' 'priority = true'
row "ionice" ionice 'ionice -c 3 true' 'priority = true'
row "processors" taskset 'taskset --cpu-list 0 true' 'priority = true'
row "interfaces" python3 'python3 -c "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"' 'netlink = true'
row "the host's /tmp" ls 'ls /tmp/words' 'shared_tmp = true' silent
if [ -e /dev/net/tun ]; then chmod 0666 /dev/net/tun; row "a device" cat ': <>/dev/net/tun' 'devices = ["/dev/net/tun"]' silent; else say "SKIPPED: a device: no /dev/net/tun here"; fi
row "a sandbox of its own (unshare)" unshare 'unshare --user --map-root-user --net --pid --fork chroot / true' 'namespaces = true'
# without --proc: from systemd 257 on a unit sees what nspawn has put over files in /proc, and may mount no other one then
row "a sandbox of its own (bwrap)" bwrap 'bwrap --ro-bind / / --dev /dev --unshare-user --unshare-pid --unshare-net true' 'namespaces = true'
install -m 2755 -g words-web /usr/bin/id /srv/words/setgid
row "a setgid program" id '[ "$(/srv/words/setgid -gn)" = words-web ]' 'privileges = true' silent
echo 'dormouse ALL=(root) NOPASSWD: /usr/bin/id' | install -D -m 0440 /dev/stdin /etc/sudoers.d/words
row "sudo" sudo '[ "$(sudo -n /usr/bin/id -u)" = 0 ]' 'privileges = true'
row "crontab" crontab 'echo "0 0 1 1 * true" | crontab -' 'privileges = true, write = ["/var/spool/cron"]' silent
if grep -qs dma /etc/alternatives/mailer || [ "$(readlink -f /usr/sbin/sendmail)" = /usr/sbin/dma ]; then
    grep -q '^DEFER' /etc/dma/dma.conf || echo DEFER >>/etc/dma/dma.conf
    row "mail by a setgid sendmail" sendmail 'printf "To: a@example.org\n\nb\n" | /usr/sbin/sendmail -t' 'privileges = true, write = ["/var/spool/dma"]' silent
else
    say "SKIPPED: mail by a setgid sendmail: no dma here"
fi
with_words "${rows[@]}"
for command in 'touch /srv/words/app/a && chgrp words-web /srv/words/app/a' 'rm -rf /srv/words/app/r; git init --quiet --bare --shared=group /srv/words/app/r'; do
    given "$command" 'write = ["/srv/words/app"]'
    holds "groups: writing is not all" not works
done
# For a web server: the directory and the file let it in. No sandbox keeps that, the umask does.
given 'touch /srv/words/app/thumbnail' 'write = ["/srv/words/app"]'
rm -f /srv/words/app/thumbnail
works
reads() { setpriv --reuid=nobody --regid=nogroup --clear-groups cat /srv/words/app/thumbnail; }
chmod 0755 /srv/words
holds "a thumbnail for a web server: umask = \"0022\"" reads
rm -f /srv/words/app/thumbnail
sed -i '/^umask/d' $config
works
holds "a thumbnail for a web server: not with the unit's UMask=0077" not reads
# network = false asks nothing of the unit, and lets nothing of the network through the unit's own filters.
internet='python3 -c "import socket; socket.socket(socket.AF_INET)"'
given "$internet"
holds "the network: without a word" works
given "$internet" 'network = false'
equal "… the unit is as it was" "$(dormouse sandbox $pool | grep -v '^#' || true)" ""
holds "no network: network = false" not works
holds "… and its error says so" grep -q 'kept from the network' /tmp/words
given 'python3 -c "import socket; socket.socket(socket.AF_UNIX)"' 'network = false'
holds "… but the sockets of this host" works
# All words at once are a unit that starts, and of which doctor misses nothing; privileges is apart, because it comes with others.
not_given() { dormouse doctor --pool $pool | grep -c 'sandbox[.].* is not given' || true; }
words='home = "read-write", write = ["/srv/words/app", "/srv/words/not there 100%"], devices = ["char-tty"], ownership = true, priority = true, netlink = true, shared_tmp = true, namespaces = true'
for all in "$words" "$words, privileges = true"; do
    given true
    need true "$all"
    equal "not given before" "$(not_given)" "$(($(tr -cd = <<<"$all" | wc -c) + 1))" # write has two paths
    given true "$all"
    works || { cat /tmp/words; fail "all words: $all"; }
    equal "not given" "$(not_given)" 0
done
equal "systemd-analyze verify" "$(systemd-analyze verify --man=no dormouse@$pool.service 2>&1)" ""
