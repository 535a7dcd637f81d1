#!/bin/bash
# ./dev docs [DIRECTORY]
# Renders the documentation, with a search, as a site that any static host can serve: into build/docs/site or DIRECTORY. What is linked and not
# there is an error. The pages' order is that of docs/index.md.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"
command -v mkdocs >/dev/null || die "docs: mkdocs is missing (Debian package mkdocs; ./dev setup)"

work=$root/build/docs
site=$(realpath -m "${1:-$work/site}")
rm -rf "$work/source"
mkdir -p "$work/source"
# The tree as it is, so that links between pages and to files are what they are in a checkout.
while IFS= read -r file; do
    install -D -m 644 "$root/$file" "$work/source/$file"
done < <(tree_files '*.md' 'LICENSE' 'examples/*' 'packaging/*' 'units/*' 'sql/*' 'include/*' 'bench/*' 'tests/model/*' 'tests/chaos/*')
"$root/scripts/docs_nav.py" "$root/docs/index.md" "$work/source" "$site" >"$work/mkdocs.yml"
log=$work/log
mkdocs build --strict --config-file "$work/mkdocs.yml" >"$log" 2>&1 || {
    grep -v '^INFO' "$log" >&2
    die "docs: mkdocs is not content, see above"
}
say "$site: $(find "$site" -name '*.html' | wc -l) pages"
