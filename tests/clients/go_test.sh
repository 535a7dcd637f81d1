#!/bin/bash
# The Go client, where there is a Go: vetted and tested with the drivers that Debian has, which are found by path, not by module.
set -euo pipefail
if ! command -v go >/dev/null; then
    echo "SKIPPED: the Go client: there is no go (Debian package golang-go)"
    exit 77
fi
drivers=/usr/share/gocode
if ! [ -d $drivers/src/github.com/lib/pq ]; then
    echo "SKIPPED: the Go client: there is no driver (Debian package golang-github-lib-pq-dev)"
    exit 77
fi
tags=
if [ -d $drivers/src/github.com/jackc/pgx/v4 ]; then tags=pgx; fi
here=$(cd "$(dirname "$0")" && pwd)
module=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-go.XXXXXX")
trap 'rm -rf "$module"' EXIT
package=$module/src/dormouse
mkdir -p "$package"
cp "$here/../../clients/go/"*.go "$here/"*_test.go "$here/producer_cases.json" "$package/"
cd "$package"
export GO111MODULE=off GOPATH=$module:$drivers GOFLAGS=-tags=$tags GOCACHE=${XDG_CACHE_HOME:-$HOME/.cache}/go-build
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "FAILED: gofmt: $unformatted"; exit 1; }
go vet .
go test -count=1 -v .

# The program of the documentation, as it is shown.
mkdir "$module/src/shown"
awk '/^```go$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$here/../../docs/producers.md" |
    sed "s|postgresql:///app|postgresql:///postgres?host=$PGHOST\&user=postgres\&sslmode=disable|" >"$module/src/shown/main.go"
cd "$module/src/shown"
GOFLAGS='' go run . >"$module/run"
grep -qE '^[0-9a-f-]{36}$' "$module/run" || { echo "FAILED: docs/producers.md: its program in Go does not print a run"; exit 1; }
