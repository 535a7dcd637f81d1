#!/bin/bash
# The Go client, where there is a Go: vetted and tested in a module of its own.
set -euo pipefail
if ! command -v go >/dev/null; then
    echo "SKIPPED: the Go client: there is no go (Debian package golang-go)"
    exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
module=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-go.XXXXXX")
trap 'rm -rf "$module"' EXIT
cp "$here/../../clients/go/"* "$here/ring_test.go" "$module/"
cd "$module"
export GOFLAGS=-mod=mod GOPROXY=off GOCACHE=$module/cache HOME=$module
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "FAILED: gofmt: $unformatted"; exit 1; }
go vet ./...
go test -count=1 -v ./...
