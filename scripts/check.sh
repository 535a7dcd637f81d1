#!/bin/bash
# ./dev check [--full] [NAME…]
# Runs the style checks, scripts/check_NAME.sh or .py: all of them, or those named. Each prints FILE:LINE: what; remedy.
# clang-tidy (tidy) takes minutes: it is run with --full, or when named.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

full=no
names=()
for argument in "$@"; do
    case $argument in
    --full) full=yes ;;
    *) names+=("$argument") ;;
    esac
done
if [ "${#names[@]}" = 0 ]; then
    names=(arrows blocks crash events headers links names results schema size format shell sleep sql words)
    if [ "$full" = yes ]; then names+=(tidy); fi
fi

script_of() { compgen -G "$root/scripts/check_$1.*" || die "there is no check $1"; }
failed=()
for name in "${names[@]}"; do
    script=$(script_of "$name")
    begin=$EPOCHREALTIME
    if output=$("$script" 2>&1); then verdict=ok; else verdict=FAILED; fi
    printf 'check %-8s %-6s %5.1f s\n' "$name" "$verdict" "$(seconds_since "$begin")"
    [ -z "$output" ] || printf '%s\n' "$output"
    if [ "$verdict" = FAILED ]; then failed+=("$name"); fi
done
if [ "${#failed[@]}" = 0 ] && [ $# = 0 ]; then say "clang-tidy was not run: it takes minutes (./dev check --full)"; fi
[ "${#failed[@]}" = 0 ] || die "checks that failed: ${failed[*]}"
