#!/bin/bash
# What holds only where a file was written has no place in the tree: paths of a workplace, hosts of a private network.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

mapfile -t files < <(tree_files '*')
find_lines '(^|[^A-Za-z0-9_$}./*-])/wor[k]/' "a path of somebody's workplace; name it relative to the tree" "${files[@]}"
find_lines '(https?|ftp)://([a-z0-9.-]*(mirror|artifactory|nexus|proxy)[a-z0-9.-]*|10\.[0-9.]+|192\.168\.[0-9.]+|172\.(1[6-9]|2[0-9]|3[01])\.[0-9.]+)[:/]' \
    "a host of somebody's network; use the public one" "${files[@]}"
find_lines '(^|[^A-Za-z])([Ii]ssue|[Pp]art) #?[0-9]+ of [0-9]|[Ii]ssue #[0-9]+' "a number that says nothing to a reader; say what it is about" "${files[@]}"
checked
