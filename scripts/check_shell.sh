#!/bin/bash
# Every shell script passes shellcheck, from warnings upwards. A case of tests/system leaves the trap at its end to lib.sh, which stops its pools.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# Those named *.sh, and others by their first line.
scripts() {
    tree_files '*.sh'
    tree_files dev '.ci/*' 'libexec/*' 'scripts/*' 'packaging/*' 'units/*' 'examples/*' 'bench/*' 'tests/*' | while IFS= read -r file; do
        [[ $file == *.* && $file != .ci/* ]] || ! head -n 1 "$file" | grep -qE '^#!.*/(ba)?sh' || printf '%s\n' "$file"
    done
}
mapfile -t files < <(scripts | sort -u)
cd "$root"
while IFS= read -r line; do
    finding "$(cut -d: -f1,2 <<<"$line")" "$(cut -d: -f4- <<<"$line" | sed 's/^ //'); mend it, or say beside it why it is right"
done < <(printf '%s\0' "${files[@]}" | xargs -0 --max-args=6 --max-procs="$(jobs_count)" \
    shellcheck --external-sources --source-path=SCRIPTDIR --severity=warning --format=gcc || true)
while IFS= read -r line; do
    finding "$(cut -d: -f1,2 <<<"$line")" "a trap of its own, so its pools go on in the cases after it; at_end (tests/system/lib.sh)"
done < <(grep -nE "^ *trap [^-].*EXIT" tests/system/cases/*.sh || true)
checked
