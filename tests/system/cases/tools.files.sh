#!/bin/bash
# rsync, git and pg_dump as handlers: copies, a clone and a dump that restores, and each way in which they end.
# shellcheck disable=SC2016 # scripts of handlers expand by themselves
source "$(dirname "$0")/../tools/lib.sh"
tools_pool tools-files
url="postgresql://postgres@127.0.0.1/$database"
install -d -o dormouse $here/from/deep
head -c 50M /dev/zero | install -o dormouse /dev/stdin $here/from/deep/large

script copy <<<'rsync --archive --stats from/ to/'
script copy_of_nothing <<<'rsync --archive nothing/ to/'
script slow_copy <<BASH
$began
began rsync
rsync --archive --bwlimit=100 from/ slow/
BASH
stdout=log script copy_of_many <<<'rsync --archive --dry-run --verbose many/ other/; for n in $(seq 10); do rsync --archive --dry-run -vvv many/ other/; done'

script clone <<BASH
git clone --quiet --bare $here/origin clone.git
git -C clone.git log --format=%s
BASH
script clone_of_nothing <<<'git clone nothing.git clone-of-nothing'
# Of another account, as a deploy key's user has it: git refuses it (safe.directory).
script anothers <<BASH
git -C $here/anothers log --format=%s
BASH
script commit <<BASH
rm -rf commit.git && git init --quiet commit.git && cd commit.git
git commit --quiet --allow-empty --message "by a handler"
git log --format=%an
BASH
script commit_named <<BASH
rm -rf named.git && git init --quiet named.git && cd named.git
git commit --quiet --allow-empty --message "by a handler"
git log --format=%an
BASH
echo 'environment = { GIT_AUTHOR_NAME = "app", GIT_AUTHOR_EMAIL = "app@example.org", GIT_COMMITTER_NAME = "app", GIT_COMMITTER_EMAIL = "app@example.org" }' >>/tmp/tables
# A program that is killed leaves its lock. No other run of ours works in that clone, so what lies there is of a dead one.
script long_commit <<BASH
$began
began git
rm -f worktree/.git/index.lock
git -C worktree -c user.name=a -c user.email=a@example.org commit --quiet --allow-empty --message long
BASH
script commit_behind_a_lock <<<'git -C worktree add .'

script dump <<<"pg_dump --format=custom --file=dump.pg --table=public.things $url"
script dump_of_nothing <<<"pg_dump --file=nothing.pg ${url}_nothing"
script waiting_dump <<BASH
$began
began pg_dump
pg_dump --file=waiting.pg --table=public.locked $url
BASH
stdout=log script dump_to_stdout <<<"pg_dump --table=public.large $url"
begin_pool

if available rsync; then
    works copy
    holds "the copy is as the original" diff -r $here/from $here/to
    fails copy_of_nothing 'nothing.* failed: No such file or directory'
    ends_on_demand slow_copy rsync
    mkdir $here/many
    (cd $here/many && seq -f "$(printf 'x%.0s' {1..200})%g" 10000 | xargs touch)
    chown -R dormouse $here/many
    floods copy_of_many
fi
if available git; then
    git init --quiet $here/anothers
    git -C $here/anothers -c user.name=a -c user.email=a@example.org commit --quiet --allow-empty --message first
    cp -r $here/anothers $here/origin
    chown -R dormouse $here/origin
    works clone
    equal "the clone" "$(column result)" '"first"'
    fails clone_of_nothing 'repository .*nothing.git.* does not exist'
    fails anothers 'safe.directory'
    fails commit 'user.email'
    at_end git config --system --unset-all safe.directory
    git config --system --add safe.directory $here/anothers
    works anothers
    works commit_named
    equal "who committed" "$(column result)" '"app"'
    cp -r $here/origin $here/worktree
    printf '#!/bin/sh\nsleep 600\n' | install -m 0755 /dev/stdin $here/worktree/.git/hooks/pre-commit
    chown -R dormouse $here/worktree
    ends_on_demand long_commit git
    install -o dormouse /dev/null $here/worktree/.git/index.lock
    fails commit_behind_a_lock 'index.lock.*File exists'
fi
sql "CREATE TABLE public.things AS SELECT n, md5(n::text) FROM generate_series(1, 10000) n; CREATE TABLE public.locked (n int);
     CREATE TABLE public.large AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 110000) n"
works dump
sql "ALTER TABLE public.things RENAME TO before"
pg_restore --dbname="$database" $here/dump.pg
equal "rows that the restored table has not" "$(sql "SELECT count(*) FROM public.before b LEFT JOIN public.things t USING (n, md5) WHERE t.n IS NULL")" 0
fails dump_of_nothing 'database .*_nothing" does not exist'
psql --quiet --dbname="$database" --command 'BEGIN; LOCK TABLE public.locked; SELECT pg_sleep(600)' >/dev/null 2>&1 &
at_end kill $!
ends_on_demand waiting_dump pg_dump
floods dump_to_stdout
