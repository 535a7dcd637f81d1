#!/bin/bash
# What a release has for npm (scripts/release_clients.sh) is installed by npm, has the licence, is found by its name, by require and import,
# and its types are what they should be.
set -euo pipefail
if ! command -v npm >/dev/null || ! [ -d "$NODE_PATH/typescript" ]; then
    echo "SKIPPED: there is no npm, or no typescript in $NODE_PATH (./dev setup installs them)"
    exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-npm.XXXXXX")
trap 'rm -rf "$work"' EXIT
export HOME=$work npm_config_offline=true npm_config_update_notifier=false
cd "$work"
"$here/../../scripts/release_clients.sh" "$work"
npm install --silent "./dormouse-worker-$DORMOUSE_VERSION.tgz"
[ -s node_modules/dormouse-worker/LICENSE ] || { echo "FAILED: the package has no LICENSE"; exit 1; }
for module in "$NODE_PATH"/*; do ln -s "$module" node_modules/; done
version=$(node -p "JSON.parse(require(\"fs\").readFileSync(\"node_modules/dormouse-worker/package.json\")).version")
[ "$version" = "$DORMOUSE_VERSION" ] ||
    { echo "FAILED: package.json has another version than $DORMOUSE_VERSION"; exit 1; }
cat >both.mjs <<'JS'
import assert from 'node:assert';
import { createRequire } from 'node:module';
import { enqueue, ring, serve, task, transaction } from 'dormouse-worker';
import { Queue, Worker } from 'dormouse-worker/dormouse-bullmq.js';
import { ring as alone } from 'dormouse-worker/dormouse-ring.js';
const required = createRequire(import.meta.url)('dormouse-worker');
assert.deepStrictEqual([enqueue, ring, serve, task, transaction, alone], [required.enqueue, required.ring, required.serve, required.task, required.transaction, ring]);
assert.deepStrictEqual([typeof Queue, typeof Worker], ['function', 'function']);
JS
node both.mjs
cp "$here/producer_types.ts" .
node node_modules/typescript/bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module node16 --moduleResolution node16 --types node producer_types.ts
