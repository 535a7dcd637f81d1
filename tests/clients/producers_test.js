// dormouse.enqueue() and the like on a real Postgres: the cases of producer_cases.json with each driver of Node.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const dormouse = require(process.env.DORMOUSE_CLIENT);
const drivers = require('./producer_drivers.js');
const { pg } = drivers;

const cases = JSON.parse(fs.readFileSync(path.join(__dirname, 'producer_cases.json'), 'utf8'));
const directory = process.env.DORMOUSE_PATHS_RUNTIME_DIRECTORY;
const camel = { max_attempts: 'maxAttempts', run_at: 'runAt' };
const stored = `SELECT json_build_object('task', task, 'payload', payload, 'queue', queue, 'priority', priority, 'key', key, 'timeout_ms', timeout_ms,
    'max_attempts', max_attempts, 'traceparent', traceparent, 'delay_ms', round(extract(epoch FROM run_at - created_at) * 1000),
    'run_at', to_char(run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')) AS row FROM dormouse.runs WHERE id = $1`;

/// A value of the file as Node has it.
function made(value) {
  if (Array.isArray(value)) return value.map(made);
  if (typeof value !== 'object' || value === null) return value;
  if ('$repeat' in value) return value.each ? Array(value.times).fill(value.$repeat) : value.$repeat.repeat(value.times);
  if ('$time' in value) return value.$time;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, made(one)]));
}
const optionsOf = (options = {}) => Object.fromEntries(Object.entries(options).map(([name, value]) => [camel[name] ?? name, made(value)]));

const loop = {};
loop.self = loop;
const kinds = {
  'a set of 1': new Set([1]), 'the bytes 1, 2, 255': Buffer.from([1, 2, 255]), 'the time 2031-03-01 08:00 in UTC': new Date('2031-03-01T08:00:00Z'),
  'the integer 2^64': 2n ** 64n, 'a map of a to 1': new Map([['a', 1]]), 'not a number': NaN, 'an object that contains itself': loop, 'a function': made,
};

/// What an error says, whatever it is.
async function refused(words, attempt) {
  let error;
  try { await attempt(); } catch (caught) { error = caught; }
  assert.ok(error, 'was not refused');
  for (const word of words) assert.ok(error.message.toLowerCase().includes(word.toLowerCase()), `${error.message}: not a word of ${word}`);
}

let eye;
let rings = 0;
const bell = net.createServer((socket) => { rings += 1; socket.destroy(); });
async function rung() {
  for (let turns = 0; turns < 5; turns += 1) await new Promise(setImmediate); // who has connected is accepted on a turn of its own
  return rings;
}
const count = async () => Number((await eye.query('SELECT count(*) FROM dormouse.runs')).rows[0].count);
const rowOf = async (id) => (await eye.query(stored, [id])).rows[0].row;
const picked = (row, names) => Object.fromEntries(Object.keys(names).map((name) => [name, row[name]]));

test.before(async () => {
  eye = new pg.Client();
  await eye.connect();
  await new Promise((resolve) => bell.listen(`${directory}/default.sock`, resolve));
});
test.after(async () => {
  await eye.end();
  bell.close();
});
test.beforeEach(() => eye.query('TRUNCATE dormouse.runs, dormouse.keys'));

const rollback = Symbol('rollback');

/// The steps of a case; an inner list for each block.
async function steps(driver, conn, left, within) {
  while (left.length > 0) {
    const step = left.shift();
    if (step === 'commit') return;
    if (step === 'rollback') throw rollback;
    if (step === 'begin') {
      try {
        await driver.block(conn, (tx) => steps(driver, tx, left, true));
      } catch (error) {
        if (error !== rollback) throw error;
      }
    } else if (step === 'nothing seen') {
      assert.deepStrictEqual([await count(), await rung()], [0, 0]);
    } else if (step === 'refused') {
      await refused(['JSON already'], () => dormouse.enqueue(driver.given(conn), 'work', '[]'));
    } else if (step === 'many') {
      await dormouse.enqueueMany(driver.given(conn), 'work', [1, 2, 3]);
    } else {
      const options = { 'enqueue key': { key: 'k' }, 'enqueue unrung': { ring: false } }[step] ?? {};
      const enqueue = (tx) => dormouse.enqueue(driver.given(tx), 'work', 1, options);
      await (within ? enqueue(conn) : driver.alone(conn, enqueue));
    }
  }
}

// pg or others: so that the two run beside each other
for (const driver of drivers.all.filter(({ name }) => !process.argv[2] || (process.argv[2] === 'pg') === name.startsWith('pg'))) {
  const on = (name, work) => test(`${driver.name}: ${name}`, { timeout: 60_000 }, async (t) => {
    const conn = await driver.open();
    try { await work(conn, t); } finally { await driver.close(conn); }
  });

  on('what is enqueued is stored or refused', async (conn) => {
    for (const one of cases.enqueue) {
      const given = [made(one.task), made(one.payload), optionsOf(one.options)];
      const before = await count();
      const attempt = () => driver.alone(conn, (tx) => dormouse.enqueue(driver.given(tx), ...given));
      try {
        if (one.refused) {
          await refused(one.refused, attempt);
          assert.strictEqual(await count(), before);
        } else {
          assert.deepStrictEqual(picked(await rowOf(await attempt()), one.then), made(one.then));
        }
      } catch (error) {
        error.message = `${one.name}: ${error.message}`;
        throw error;
      }
    }
  });

  on('values of the language have a form or are refused', async (conn) => {
    for (const one of cases.kinds.filter(({ languages }) => !languages || languages.includes('node'))) {
      const attempt = () => driver.alone(conn, (tx) => dormouse.enqueue(driver.given(tx), 'work', { in: kinds[one.kind] }));
      if (one.refused) {
        await refused(one.refused, attempt);
        continue;
      }
      const { in: value } = (await rowOf(await attempt())).payload;
      const wanted = one.is?.node ?? one.is;
      assert.deepStrictEqual(one.begins ? value.slice(0, wanted.length) : value, wanted, one.kind);
    }
  });

  on('many are enqueued in their order', async (conn) => {
    for (const one of cases.many) {
      await eye.query('TRUNCATE dormouse.runs, dormouse.keys');
      const options = { ...optionsOf(one.options), ...('keys' in one ? { keys: made(one.keys) } : {}) };
      const attempt = () => driver.alone(conn, (tx) => dormouse.enqueueMany(driver.given(tx), 'work', made(one.payloads), options));
      if (one.refused) {
        await refused(one.refused, attempt);
        assert.strictEqual(await count(), 0, one.name);
        continue;
      }
      const ids = await attempt();
      assert.strictEqual(ids.length, made(one.payloads).length, one.name);
      assert.strictEqual(await count(), one.count ?? one.stored.length, one.name);
      for (const [first, second] of one.same ?? []) assert.strictEqual(ids[first], ids[second]);
      const rows = one.stored ? await Promise.all([...new Set(ids)].map(rowOf)) : [];
      if (one.stored) assert.deepStrictEqual(rows.map(({ payload }) => payload), one.stored, one.name);
      for (const row of one.then ? rows : []) assert.deepStrictEqual(picked(row, one.then), one.then);
    }
  });

  test(`${driver.name}: runs and rings come with the commit`, { timeout: 60_000 }, async () => {
    for (const one of cases.transactions) {
      if (!driver.nests && /"begin","(enqueue",")?begin/.test(JSON.stringify(one.steps))) continue;
      await eye.query('TRUNCATE dormouse.runs, dormouse.keys');
      rings = 0;
      const conn = await driver.open();
      try { await steps(driver, conn, [...one.steps], false); } finally { await driver.close(conn); }
      assert.strictEqual(await count(), one.runs, one.name);
      const spare = await rung() - one.rings;
      assert.ok(spare === 0 || (spare === 1 && driver.spare && one.name.includes('savepoint')), `${one.name}: ${spare} rings too many`);
    }
  });

  on('a run is asked for, cancelled and started again', async (conn) => {
    const run = await driver.alone(conn, (tx) => dormouse.enqueue(driver.given(tx), 'work', 1));
    for (const one of cases.operations) {
      const more = { cancel: [one.reason], wait: [{ timeout: one.timeout }] }[one.do] ?? [];
      const attempt = () => dormouse[one.do](driver.given(conn), 'of' in one ? one.of : run, ...more);
      if (one.refused) {
        await refused(one.refused, attempt);
        continue;
      }
      const answer = await attempt();
      if ('done' in one) assert.deepStrictEqual([answer.done, answer.text.split(':')[0]], [one.done, one.text]);
      else if (one.then === null) assert.strictEqual(answer, null);
      else assert.deepStrictEqual(picked(answer, one.then), one.then);
    }
  });

  on('a test sees what its transaction has enqueued', async (conn) => {
    await driver.alone(conn, (tx) => dormouse.enqueue(driver.given(tx), 'mail', 'before'));
    await driver.block(conn, async (tx) => {
      await dormouse.enqueue(driver.given(tx), 'mail', { to: 1 }, { key: 'k' });
      await dormouse.enqueue(driver.given(tx), 'work', 2, { queue: 'slow', priority: 3, delay: 60 });
      assert.deepStrictEqual((await dormouse.enqueued(driver.given(tx), { task: 'mail' })).map(({ payload }) => payload), [{ to: 1 }]);
      const last = (await dormouse.enqueued(driver.given(tx))).at(-1);
      assert.deepStrictEqual([last.task, last.payload, last.queue, last.priority, last.key, last.runAt > new Date()], ['work', 2, 'slow', 3, null, true]);
      throw rollback;
    }).catch((error) => assert.strictEqual(error, rollback));
  });

  on('the error of the database is the driver\'s own', async (conn) => {
    await eye.query('ALTER FUNCTION dormouse.enqueue RENAME TO away');
    try {
      await refused(['dormouse.enqueue', 'does not exist'], async () => {
        try {
          await driver.alone(conn, (tx) => dormouse.enqueue(driver.given(tx), 'work'));
        } catch (error) {
          throw error.cause ?? error; // Drizzle has its own around it
        }
      });
    } finally {
      await eye.query('ALTER FUNCTION dormouse.away RENAME TO enqueue');
    }
  });
}

test('to wait in the transaction that enqueues is refused', async () => {
  const client = new pg.Client();
  await client.connect();
  await client.query('BEGIN');
  const run = await dormouse.enqueue(client, 'work');
  await refused(['commit first'], () => dormouse.wait(client, run));
  await client.end();
});

test('statements that are sent without waiting for each other ring once the commit has come', async () => {
  rings = 0;
  const client = new pg.Client();
  await client.connect();
  const all = [client.query('BEGIN'), dormouse.enqueue(client, 'work'), client.query('COMMIT')];
  await Promise.all(all);
  await client.query('SELECT 1');
  assert.deepStrictEqual([await count(), await rung()], [1, 1]);
  await client.end();
});

test('a commit rings whatever is sent with it or behind it', async () => {
  const client = await drivers.client();
  for (const [then, due] of [['COMMIT; SELECT 1', 1], ['COMMIT AND CHAIN', 1], ['COMMIT; BEGIN', 1], ['SELECT 1; END', 1], ['ROLLBACK; BEGIN', 0], ['ROLLBACK', 0]]) {
    const before = await count();
    await client.query('BEGIN');
    await dormouse.enqueue(client, 'work');
    rings = 0;
    await client.query(then);
    await client.query('ROLLBACK');
    assert.deepStrictEqual([await count() - before, await rung()], [due, due], then);
  }
  await client.end();
});

const until = async (what) => { while (!await what()) await new Promise(setImmediate); };
const waits = async () => (await eye.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")).rows[0]?.pid;

test('a commit that is cut off rings', { timeout: 60_000 }, async (t) => {
  await eye.query(`CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_lock_shared(17); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON dormouse.runs_live DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN (NEW.task = 'slow') EXECUTE FUNCTION public.slow(); SELECT pg_advisory_lock(17)`);
  t.after(() => eye.query('SELECT pg_advisory_unlock_all(); DROP FUNCTION public.slow CASCADE'));
  for (const driver of drivers.all.filter(({ name }) => !/by hand|kysely/.test(name))) { // whose client has no listener that one could add
    const conn = await driver.open();
    if (conn instanceof pg.Client) conn.on('error', () => {});
    conn.$client?.on('connect', (client) => client.on('error', () => {}));
    rings = 0;
    const work = driver.block(conn, (tx) => dormouse.enqueue(driver.given(tx), 'slow'));
    const ended = assert.rejects(work, driver.name);
    await until(waits);
    assert.strictEqual(await rung(), 0);
    await eye.query('SELECT pg_terminate_backend($1)', [await waits()]);
    await ended;
    await until(async () => await rung() > 0);
    await (driver.name === 'postgres.js' ? conn.end({ timeout: 0 }) : driver.close(conn)); // which waits for the lost connection
  }
  const pool = new pg.Pool({ query_timeout: 200 }); // the client gives up, and the server commits
  await assert.rejects(dormouse.transaction(pool, (tx) => tx.query("SELECT dormouse.enqueue('slow')")), /timeout/);
  const before = await count();
  rings = 0;
  await eye.query('SELECT pg_advisory_unlock(17)');
  await until(async () => await count() > before && await rung() > 0);
  await pool.end();
});

test('what is no connection is refused with what to give', async () => {
  for (const wrong of [null, undefined, 'postgresql:///app', {}, { execute() {} }])
    await refused(['give a Client'], () => dormouse.enqueue(wrong, 'work'));
  await refused(['no rows'], () => dormouse.enqueue(async () => undefined, 'work'));
  await refused(['give a Client'], () => dormouse.transaction({}, async () => {}));
});

test('what is due is executed, and its result is there', { timeout: 60_000 }, async (t) => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'dormouse-drain.'));
  t.after(() => fs.rmSync(work, { recursive: true }));
  const config = `${work}/pool.toml`;
  fs.writeFileSync(config, `[database]\nurl = "postgresql://postgres@/postgres?host=${process.env.PGHOST}"\n[task.echo]\ncommand = ["/bin/cat"]\n[task.slow]\ncommand = ["/bin/sleep", "30"]\n`);
  const run = await dormouse.enqueue(eye, 'echo', { a: [1, null] });
  await dormouse.drain({ config });
  const done = await dormouse.wait(eye, run, { timeout: 30 });
  assert.deepStrictEqual([done.completed, done.result, done.error, done.attempts, done.finishedAt instanceof Date], [true, { a: [1, null] }, null, 1, true]);
  await dormouse.enqueue(eye, 'slow');
  await assert.rejects(dormouse.drain({ config, timeout: 1 }), /not everything was done in 1 s/);
  fs.appendFileSync(config, 'nonsense = 1\n');
  await assert.rejects(dormouse.drain({ config }), /its configuration cannot be used[^]*nonsense/);
});
