#!/bin/bash
# Sourced by the scripts beside it: where the tree is, how they speak, which files are ours.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
die() {
    printf './dev: %s\n' "$*" >&2
    exit 1
}

# help_if_asked "$@": a script's help is the comment at its top.
help_if_asked() {
    case ${1:-} in
    -h | --help | help)
        sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    esac
}

# How many jobs at the same time; DORMOUSE_JOBS says otherwise.
jobs_count() { printf '%s\n' "${DORMOUSE_JOBS:-$(nproc)}"; }

# tree_files [PATTERN…]: the files of this project, one a line, relative to its top; without git those of a source archive.
tree_files() {
    local found
    cd "$root" || return 1
    # a clone that belongs to somebody else is no reason to refuse reading its list of files
    if found=$(git -c safe.directory='*' ls-files --cached --others --exclude-standard 2>/dev/null) && [ -n "$found" ]; then
        :
    else
        found=$(find . \( -name .git -o -name build -o -name 'build-*' -o -name .cache \) -prune -o -type f -print | sed 's|^\./||')
    fi
    while IFS= read -r file; do
        if [ -f "$file" ] && { [ $# = 0 ] || matches "$file" "$@"; }; then printf '%s\n' "$file"; fi
    done <<<"$found" | LC_ALL=C sort -u
}
matches() { # matches FILE PATTERN…: as case patterns, in which * also crosses folders
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2254 # it is a pattern
        case $file in $pattern) return 0 ;; esac
    done
    return 1
}

# --- checks ----------------------------------------------------------------------------------------------------------
# A check prints a line for each thing it finds, FILE:LINE: what; remedy, and ends with checked.
findings=0
finding() { # finding FILE:LINE TEXT
    findings=$((findings + 1))
    printf '%s: %s\n' "$1" "$2"
}
checked() {
    [ "$findings" = 0 ] || exit 1
}
# find_lines REGEX TEXT FILE…: a finding for each line that matches (grep -E). A remedy beside the line, `TEXT`, is in the text.
find_lines() {
    local regex=$1 text=$2 hit
    shift 2
    [ $# -gt 0 ] || return 0
    while IFS= read -r hit; do
        finding "$(cut -d: -f1,2 <<<"$hit")" "$text"
    done < <(cd "$root" || exit; grep -nHE -e "$regex" -- "$@" || true)
}

# seconds_since TIME: of EPOCHREALTIME.
seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.2f", to - from }'; }
