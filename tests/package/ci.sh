#!/bin/bash
# What CI runs is ./dev, with commands and options that it has: what is green there is what anybody sees.
source "$(dirname "$0")/lib.sh"
for workflow in "$source_dir"/.github/workflows/*.yml; do
    while read -r run; do
        case $run in
        'apt-get update && apt-get install -y git') continue ;; # before there is a tree
        './dev '*) ;;
        *) fail "${workflow##*/} runs what is not ./dev: $run" ;;
        esac
        read -ra words <<<"$run"
        holds "./dev has the command of: $run" grep -qE "^  ${words[1]} " <("$source_dir/dev")
        for word in "${words[@]:2}"; do
            case $word in
            --*) holds "and the option $word" grep -qE -e "(^|[ [])$word\\b" <("$source_dir/dev" "${words[1]}" --help) ;;
            *) holds "and the preset $word" grep -q "\"name\": \"$word\"" "$source_dir/CMakePresets.json" ;;
            esac
        done
    done < <(sed -n 's/^ *- run: //p; s/^ *run: //p' "$workflow")
done
