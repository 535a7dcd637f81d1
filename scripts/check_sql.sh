#!/bin/bash
# SQL lives in sql/. In src/ only statements that name no table of ours (LISTEN, BEGIN, SELECT pg_backend_pid()), and the files
# in scripts/sql_allowed.txt.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

mapfile -t sources < <(tree_files 'src/*' 'include/*' | grep -vxF -f <(grep -v '^#' "$root/scripts/sql_allowed.txt"))
# Anywhere but in a // comment, and only in capitals, as all SQL here is.
find_lines '^([^/]|/[^/])*\b(INSERT INTO|UPDATE [a-z_."]+ SET|DELETE FROM|MERGE INTO|(FROM|JOIN) dormouse\.|(CREATE|ALTER|DROP) (TABLE|FUNCTION|INDEX|VIEW|SCHEMA))\b' \
    "SQL in a source; move the statement to sql/queries/" "${sources[@]}"
checked
