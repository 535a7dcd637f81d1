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

/// A client of pg tells what it hears of the server: each commit, whatever comes with it or behind it, and where no transaction is open.
const watched = new WeakMap();
function watch(client) {
  let state = watched.get(client);
  if (state || typeof client.connection?.on !== 'function') return state;
  state = { status: undefined, owed: new Set(), committed: false };
  const pay = (due) => {
    if (due) for (const target of state.owed) ring(target);
    state.owed.clear();
  };
  client.connection.on('commandComplete', (message) => { state.committed ||= /^COMMIT/.test(message.text); });
  client.connection.on('readyForQuery', (message) => {
    state.status = message.status;
    if (state.committed || state.status === 'I') pay(state.committed);
    state.committed = false;
  });
  client.connection.on('end', () => pay(true)); // perhaps while it committed
  watched.set(client, state);
  return state;
}

/// Whether what was to commit may have done so, although it was rejected. It has not where the server has refused it, with an SQLSTATE; but those of
/// a session that was ended (08, 57P) or is broken (XX) may follow the commit. A ring too many costs one look.
function mayBeCommitted(error) {
  const said = [error, error?.cause].find((one) => typeof one?.code === 'string' && one.severity !== undefined); // not of the system, such as EPIPE
  return !said || /^(08|57P|XX)/.test(said.code);
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
  let finished = false;
  const paid = () => {
    if (outer && isWithin(conn)) for (const one of own) outer.add(one);
    else return Promise.all([...own].map((one) => ring(one, options)));
  };
  try {
    const result = await blocks.run(own, () => begin(conn, async (tx) => {
      const done = await work(tx, enqueued);
      finished = true;
      return done;
    }, enqueued));
    await paid();
    return result;
  } catch (error) {
    if (finished && mayBeCommitted(error)) await paid(); // the COMMIT was cut off
    throw error;
  }
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
      const lost = () => {}; // the query that is under way is rejected; without a listener the process would end
      client.on?.('error', lost);
      try { return await inTransaction(client, work, enqueued); } finally {
        client.off?.('error', lost);
        client.release();
      }
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
  const state = watch(client);
  await client.query('BEGIN');
  let result;
  let finished = false;
  try {
    result = await work(new Within(client, enqueued, 0));
    finished = true;
    const { command } = await client.query('COMMIT');
    // What Postgres answers when a statement had failed and nobody minded.
    if (command === 'ROLLBACK')
      throw Object.assign(new Error('the transaction was rolled back, because one of its statements had failed'), { severity: 'ERROR', code: '25P02' });
  } catch (error) {
    // A client that gave up waiting, such as by query_timeout, still hears of the COMMIT.
    if (finished && mayBeCommitted(error)) for (const target of blocks.getStore() ?? []) state?.owed.add(target);
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

module.exports = { ring, transaction, owe, watch, mayBeCommitted, Within };
