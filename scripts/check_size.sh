#!/bin/bash
# No file of ours is longer than 400 lines; about 150 is what is aimed at.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

most=400
cd "$root"
while read -r lines file; do
    if [ "$lines" -gt "$most" ] && [ "$file" != total ]; then finding "$file:$most" "$lines lines, $most are the most; split it by noun"; fi
done < <(tree_files dev 'src/*' 'include/*' 'tests/*' 'bench/*' 'scripts/*' 'clients/*' 'examples/*' |
    grep -E '(^dev|\.(h|cpp|c|sh|py|js|ts|mjs|txt|sql|cmake))$' | xargs --delimiter='\n' wc -l)
checked
