#!/bin/bash
# cmake --install makes the tree that packaging/files.txt says, with these modes; the units' commands are in it; man pages can be read;
# each shell that is here takes its completions.
source "$(dirname "$0")/lib.sh"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
DESTDIR=$tree cmake --install "${DORMOUSE_BUILD:?}" >/dev/null
listed "$tree" | compare tree

while read -r command; do
    where=$tree
    if [ "$command" = /usr/bin/rm ]; then where=; fi # the system's
    holds "$command, which a unit names, is there" test -x "$where$command"
done < <(sed -n 's/^Exec[A-Za-z]*=[-+!@:]*\([^ ]*\).*/\1/p' "$tree"/usr/lib/systemd/system/*.service | sort -u)
while read -r page; do
    holds "man page $page, which a unit names, is there" test -e "$tree/usr/share/man/man${page: -2:1}/${page%(*}.${page: -2:1}.gz"
done < <(sed -n 's/^Documentation=//p' "$tree"/usr/lib/systemd/system/* | tr ' ' '\n' | sed -n 's/^man://p' | sort -u)
if command -v man >/dev/null; then
    for page in "$tree"/usr/share/man/*/*.gz; do
        equal "warnings of ${page##*/}" "$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)" ""
    done
fi

completed() { # WORD…: what bash offers for the last one
    bash -c 'source "$1" && shift && COMP_WORDS=(dormouse "$@") COMP_CWORD=$# && _dormouse && echo "${COMPREPLY[*]}"' - \
        "$tree/usr/share/bash-completion/completions/dormouse" "$@"
}
equal "bash: commands" "$(completed wo)" "worker workers"
equal "bash: options" "$(completed runs --s)" "--status --since"
equal "bash: nothing for a value" "$(completed runs --status q)" ""
equal "bash: a file" "$(cd "$tree" && completed enqueue --from us)" "usr"
for shell in zsh:zsh/vendor-completions/_dormouse fish:fish/vendor_completions.d/dormouse.fish; do
    if command -v "${shell%%:*}" >/dev/null; then holds "${shell%%:*} reads its completions" "${shell%%:*}" -n "$tree/usr/share/${shell#*:}"; fi
done
