#!/bin/bash
# docs/schema.md is what scripts/schema_page.py makes of sql/schema.sql, and everything in it is explained.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

if ! made=$("$root/scripts/schema_page.py" 2>&1); then
    finding scripts/schema_page.py:1 "$made"
elif [ "$made" != "$(cat "$root/docs/schema.md")" ]; then
    finding docs/schema.md:1 "not what scripts/schema_page.py makes of sql/schema.sql; scripts/schema_page.py >docs/schema.md"
fi
checked
