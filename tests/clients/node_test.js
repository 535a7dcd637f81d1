// dormouse-ring.js: rings by name, path and address, and after the COMMIT of a transaction on a real Postgres.
'use strict';

const assert = require('node:assert');
const net = require('node:net');
const { test } = require('node:test');
const { ring, transaction } = require(process.env.DORMOUSE_CLIENT);

const directory = process.env.DORMOUSE_PATHS_RUNTIME_DIRECTORY;
const timeout = 20_000; // for a ring that does not come
const enqueue = "SELECT dormouse.enqueue('work')";

async function bellAt(t, address) {
  let rings = 0;
  let more = () => {};
  const server = net.createServer((socket) => { rings += 1; socket.destroy(); more(); });
  await new Promise((resolve) => server.listen(address, resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return {
    address: server.address(),
    // What rang is accepted on a turn of its own: waits until there have been as many.
    async rung(times) {
      while (rings < times) await new Promise((resolve) => { more = resolve; });
      await new Promise(setImmediate);
      return rings;
    },
    count: () => rings,
  };
}

test('a pool is rung by name, by path and by address', { timeout }, async (t) => {
  const bell = await bellAt(t, { path: `${directory}/named.sock` });
  assert.strictEqual(await ring('named'), true);
  assert.strictEqual(await ring(bell.address), true);
  assert.strictEqual(await bell.rung(2), 2);
  const far = await bellAt(t, { host: '127.0.0.1', port: 0 });
  assert.strictEqual(await ring(`127.0.0.1:${far.address.port}`), true);
  assert.strictEqual(await ring(`localhost:${far.address.port}`), true);
  assert.strictEqual(await far.rung(2), 2);
});

test('nobody there is false, and no exception', async () => {
  for (const target of ['missing', '/nonexistent/socket', '127.0.0.1:1', 'no-such-host.invalid:7300', 'a:b:c', '[::1]:99999', ''])
    assert.strictEqual(await ring(target), false, target);
});

let pg;
try {
  pg = require('pg');
} catch {
  console.log('SKIPPED: transactions of the Node client: there is no module pg (npm install pg, and NODE_PATH)');
}

test('one ring after the COMMIT of a transaction that enqueued, none otherwise', { skip: !pg, timeout }, async (t) => {
  const bell = await bellAt(t, { path: `${directory}/default.sock` });
  const client = new pg.Client();
  await client.connect();
  t.after(() => client.end());
  const runs = async () => Number((await client.query('SELECT count(*) FROM dormouse.runs')).rows[0].count);

  const id = await transaction(client, async (tx) => {
    await tx.query(enqueue);
    await tx.query({ text: 'INSERT INTO dormouse.runs (task) VALUES ($1)', values: ['work'] });
    assert.strictEqual(bell.count(), 0);
    return 17;
  });
  assert.strictEqual(id, 17);
  assert.strictEqual(await runs(), 2);
  assert.strictEqual(await bell.rung(1), 1);

  await assert.rejects(transaction(client, async (tx) => { await tx.query(enqueue); throw new Error('mine'); }), /mine/);
  await assert.rejects(transaction(client, async (tx) => {
    await tx.query(enqueue);
    await tx.query('SELECT 1/0').catch(() => {});
  }), /rolled back/);
  await transaction(client, (tx) => tx.query('SELECT 1'));
  assert.strictEqual(await runs(), 2);
  assert.strictEqual(bell.count(), 1);

  await transaction(client, async (tx, enqueued) => { await tx.query("SELECT 'hidden'"); enqueued(); });
  assert.strictEqual(await bell.rung(2), 2);
  await transaction(client, (tx) => tx.query(enqueue), 'missing');
  assert.strictEqual(await runs(), 3);
  assert.strictEqual(await bell.rung(2), 2);
});
