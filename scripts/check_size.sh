#!/bin/bash
# No file of ours is longer than 400 lines; about 150 is what is aimed at. No comment of C++ is wider than 120 columns, which the
# formatter leaves alone.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

most=400
cd "$root"
while read -r lines file; do
    if [ "$lines" -gt "$most" ] && [ "$file" != total ]; then finding "$file:$most" "$lines lines, $most are the most; split it by noun"; fi
done < <(tree_files dev 'src/*' 'include/*' 'tests/*' 'bench/*' 'scripts/*' 'clients/*' 'examples/*' |
    grep -E '(^dev|\.(h|cpp|c|sh|py|js|ts|mjs|txt|sql|cmake))$' | xargs --delimiter='\n' wc -l)
while IFS=: read -r file line _; do finding "$file:$line" "a comment of more than 120 columns; break it"; done < <(
    tree_files 'src/*' 'include/*' | grep -E '\.(h|cpp)$' | LC_ALL=C.UTF-8 xargs grep -nP '^(?=.{121})\s*//')
checked
