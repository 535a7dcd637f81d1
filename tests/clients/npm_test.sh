#!/bin/bash
# npm pack makes a package of the Node client that is found by its name, by require and import, and whose types are what they should be.
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
npm pack --silent "$here/../../clients/node" >packed
mkdir -p node_modules/dormouse-worker
tar --extract --file "$(cat packed)" --strip-components 1 --directory node_modules/dormouse-worker
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
