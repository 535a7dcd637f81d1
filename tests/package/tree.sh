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
    case $command in /usr/bin/rm | /bin/sh) where= ;; esac # the system's
    holds "$command, which a unit names, is there" test -x "$where$command"
done < <(sed -n 's/^Exec[A-Za-z]*=[-+!@:]*\([^ ]*\).*/\1/p' "$tree"/usr/lib/systemd/system/*.service | sort -u)
while read -r page; do
    holds "man page $page, which a unit names, is there" test -e "$tree/usr/share/man/man${page: -2:1}/${page%(*}.${page: -2:1}.gz"
done < <(sed -n 's/^Documentation=//p' "$tree"/usr/lib/systemd/system/* | tr ' ' '\n' | sed -n 's/^man://p' | sort -u)
while read -r command; do
    holds "man page of dormouse $command" test -e "$tree/usr/share/man/man1/dormouse-$command.1.gz"
done < <("$tree/usr/bin/dormouse" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\).*/\1/p')
# What presets make of it, at a first boot and with systemctl preset-all, under the default of Debian (enable) and that of Fedora (disable).
enabled() { find "$tree/etc/systemd/system" -type l -printf '%f\n' 2>/dev/null | sort | xargs; }
systemd() { systemctl --root="$tree" --quiet "$@" 2>&1; }
for default in enable disable; do
    echo "$default *" >"$tree/usr/lib/systemd/system-preset/99-default.preset"
    systemd --preset-mode=enable-only preset-all
    equal "by a first boot where the default is to $default" "$(enabled)" ""
    systemd enable dormouse@one.target
    systemd --preset-mode=enable-only preset-all
    equal "by a first boot of an image with a pool" "$(enabled)" dormouse@one.target
    systemd preset-all
    equal "by preset-all" "$(enabled)" dormouse@one.target
    systemd disable dormouse@one.target
done

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
