#!/bin/bash
# ./dev coverage [OPTION OF ctest…]
# Builds the preset coverage, runs the unit and postgres tests (all, or those that the options choose), and says for each folder of src/ which
# share of its lines and branches they executed. build/coverage/report/index.html shows it line by line. A process that dies by SIGKILL
# writes nothing down: what only such a one executed counts as not executed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"
command -v gcovr >/dev/null || die "coverage: gcovr is missing (Debian package gcovr; ./dev setup)"

build=$root/build/coverage
report=$build/report
"$root/scripts/build.sh" coverage dormouse dormouse-alert dormouse-due dormouse-relay unit_tests postgres_tests
find "$build" -name '*.gcda' -delete
rm -rf "$report"
mkdir "$report"
# Tests run programs as other users, too, and these write beside the objects.
find "$build" -type d -name '*.dir' -exec chmod -R a+rwX {} +
failed=no
(umask 0 && ctest --test-dir "$build" --parallel "$(jobs_count)" --output-on-failure --no-tests=error --label-regex '^(unit|postgres)$' "$@") ||
    failed=yes
cd "$root"
gcovr --root "$root" --filter src/ --filter include/ --object-directory "$build" -j "$(jobs_count)" --exclude-throw-branches \
    --html-details "$report/index.html" --json-summary "$report/summary.json" "$build" >"$report/gcovr.log" 2>&1 || {
    tail -n 20 "$report/gcovr.log" >&2
    die "gcovr failed, see $report/gcovr.log"
}
python3 - "$report/summary.json" <<'PY'
import collections, json, os, sys

sums = collections.defaultdict(collections.Counter)
for file in json.load(open(sys.argv[1], encoding="utf-8"))["files"]:
    for folder in (os.path.dirname(file["filename"]), "all"):
        sums[folder].update({key: value for key, value in file.items() if key.endswith(("_total", "_covered"))})
share = lambda sum, what: 100 * sum[what + "_covered"] / (sum[what + "_total"] or 1)
for folder in sorted(sums, key=lambda name: (name == "all", name)):
    sum = sums[folder]
    print(f"{folder:24} {sum['line_total']:6} lines {share(sum, 'line'):5.1f} %   {sum['branch_total']:6} branches {share(sum, 'branch'):5.1f} %")
PY
say "line by line: $report/index.html"
[ "$failed" = no ] || die "coverage: tests failed, see above"
