#!/bin/bash
# ./dev schema
# Writes sql/schema.sql, the committed dump of what the migrations make, with a freshly built dormouse and a private Postgres, and from it
# the page docs/schema.md (scripts/schema_page.py).
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

"$root/scripts/build.sh" dev dormouse
"$root/tests/support/dump_schema.sh" "$root/build/dev/dormouse"
page=$("$root/scripts/schema_page.py")
printf '%s\n' "$page" >"$root/docs/schema.md"
