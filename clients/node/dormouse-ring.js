// Ring a dormouse pool's doorbell: after the COMMIT of a transaction that enqueued runs. No dependencies; copy this file.
// A ring carries nothing: it makes the pool's worker look at the database.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const net = require('node:net');

const enqueues = /\b"?dormouse"?\."?(enqueue|runs\b)/i;

function addressOf(target) {
  if (target.includes('/')) return { path: target };
  const far = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(target);
  // Every address of the name: Node 18 tries the first alone unless it is told.
  if (far) return { host: far[1] ?? far[2], port: Number(far[3]), autoSelectFamily: true };
  if (target.includes(':')) throw new Error(`${target} is not HOST:PORT`);
  const directory = process.env.DORMOUSE_PATHS_RUNTIME_DIRECTORY || '/run/dormouse';
  return { path: `${directory}/${target}.sock` };
}

/// Rings a pool by name, a socket by path ("/run/dormouse/mail.sock") or a doorbell on another host ("host:7300",
/// "[2001:db8::1]:7300"). Resolves to whether it rang, after `timeout` milliseconds at the latest, and never rejects: the
/// transaction is committed, and the next worker that looks finds the runs.
function ring(target = 'default', { timeout = 1000 } = {}) {
  return new Promise((resolve) => {
    let socket;
    let timer;
    const done = (rung) => {
      clearTimeout(timer);
      if (socket) socket.destroy();
      resolve(rung);
    };
    try {
      socket = net.connect(addressOf(target));
      timer = setTimeout(done, timeout, false);
      socket.once('connect', () => done(true));
      // EAGAIN: as many rings as fit wait there already.
      socket.on('error', (error) => done(error.code === 'EAGAIN'));
    } catch {
      done(false);
    }
  });
}

/// What is owed to doorbells by the transaction() that is under way.
const blocks = new AsyncLocalStorage();

/// Has them rung after the commit of the transaction() around; false: there is none.
function owe(targets) {
  const block = blocks.getStore();
  if (block) for (const target of targets) block.add(target);
  return block !== undefined;
}

/// Runs `work` in a transaction and rings once after its COMMIT, if it enqueued something: by enqueue() and the like; or if a query of pg named
/// dormouse.enqueue, dormouse.enqueue_many or dormouse.runs; or if work called the second argument. Resolves to what work resolves to; rejects
/// as work and the database do, never because of a doorbell. Within another transaction() it is a savepoint, and the outer one rings.
///
///   await transaction(client, async (tx) => { await tx.query("SELECT dormouse.enqueue('mail')"); }, 'default');
///
/// `conn`: a Client or Pool of pg, sql of postgres.js, or what Knex, Kysely, Drizzle and Prisma begin a transaction with; work is given what they give.
async function transaction(conn, work, target = 'default', options = {}) {
  const outer = blocks.getStore();
  const own = new Set();
  const enqueued = () => { own.add(target); };
  const result = await blocks.run(own, () => begin(conn, (tx) => work(tx, enqueued), enqueued));
  if (outer && isWithin(conn)) for (const one of own) outer.add(one);
  else await Promise.all([...own].map((one) => ring(one, options)));
  return result;
}

/// Whether it is within a transaction, by what it can do.
function isWithin(conn) {
  return conn instanceof Within || conn.isTransaction === true || (typeof conn.savepoint === 'function' && typeof conn.begin !== 'function')
    || (typeof conn.rollback === 'function' && typeof conn.execute === 'function');
}

function begin(conn, work, enqueued) {
  if (conn instanceof Within) return savepoint(conn, work, enqueued);
  if (typeof conn?.unsafe === 'function') return typeof conn.begin === 'function' ? conn.begin(work) : conn.savepoint(work);
  if (typeof conn?.$transaction === 'function') return conn.$transaction(work);
  if (typeof conn?.executeQuery === 'function') return conn.transaction().execute(work);
  if (typeof conn?.transaction === 'function') return conn.transaction(work);
  if (typeof conn?.connect === 'function' && 'totalCount' in conn) {
    return conn.connect().then(async (client) => {
      try { return await inTransaction(client, work, enqueued); } finally { client.release(); }
    });
  }
  if (typeof conn?.query === 'function') return inTransaction(conn, work, enqueued);
  throw new TypeError('transaction(): this is nothing that begins a transaction; give a Client or Pool of pg, sql of postgres.js, or what Knex, '
    + 'Kysely, Drizzle and Prisma begin one with');
}

/// A client of pg within transaction().
class Within {
  #enqueued;
  constructor(client, enqueued, depth) {
    [this.client, this.#enqueued, this.depth] = [client, enqueued, depth];
  }
  query(query, ...rest) {
    if (enqueues.test(typeof query === 'string' ? query : query?.text ?? '')) this.#enqueued();
    return this.client.query(query, ...rest);
  }
}

async function inTransaction(client, work, enqueued) {
  await client.query('BEGIN');
  let result;
  try {
    result = await work(new Within(client, enqueued, 0));
    const { command } = await client.query('COMMIT');
    // What Postgres answers when a statement had failed and nobody minded.
    if (command === 'ROLLBACK') throw new Error('the transaction was rolled back, because one of its statements had failed');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
  return result;
}

async function savepoint({ client, depth }, work, enqueued) {
  const name = `dormouse_${depth + 1}`;
  await client.query(`SAVEPOINT ${name}`);
  let result;
  try {
    result = await work(new Within(client, enqueued, depth + 1));
    await client.query(`RELEASE SAVEPOINT ${name}`);
  } catch (error) {
    await client.query(`ROLLBACK TO SAVEPOINT ${name}`).catch(() => {});
    throw error;
  }
  return result;
}

module.exports = { ring, transaction, owe, Within };
