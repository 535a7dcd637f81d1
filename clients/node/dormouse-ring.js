// Ring a dormouse pool's doorbell: after the COMMIT of a transaction that enqueued runs. No dependencies; copy this file.
// A ring carries nothing: it makes the pool's worker look at the database.
'use strict';

const net = require('node:net');

const enqueues = /\b"?dormouse"?\."?(enqueue|runs\b)/i;

function addressOf(target) {
  if (target.includes('/')) return { path: target };
  const far = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(target);
  // Every address of the name: Node 18 tries the first alone unless it is told.
  if (far) return { host: far[1] ?? far[2], port: Number(far[3]), autoSelectFamily: true };
  if (target.includes(':')) throw new Error(`${target} is no HOST:PORT`);
  const directory = process.env.DORMOUSE_PATHS_RUNTIME_DIRECTORY || '/run/dormouse';
  return { path: `${directory}/${target}.sock` };
}

/// Rings a pool by name, a socket by path ("/run/dormouse/mail.sock") or a doorbell on another host ("host:7300",
/// "[2001:db8::1]:7300"). Resolves to whether it rang, after `timeout` milliseconds at the latest, and never rejects: the
/// transaction is committed, whoever looks next finds the runs.
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

/// Runs `work` in a transaction of a client of `pg` and rings once after its COMMIT, if it enqueued something: if a query
/// named dormouse.enqueue, dormouse.enqueue_many or dormouse.runs, or work called the second argument. Resolves to what work
/// resolves to; rejects as work and the database do, never because of a doorbell.
///
///   await transaction(client, async (tx) => { await tx.query("SELECT dormouse.enqueue('mail')"); }, 'default');
async function transaction(client, work, target = 'default', options = {}) {
  let enqueued = false;
  const tx = {
    client,
    query(query, ...rest) {
      if (enqueues.test(typeof query === 'string' ? query : query?.text ?? '')) enqueued = true;
      return client.query(query, ...rest);
    },
  };
  await client.query('BEGIN');
  let result;
  try {
    result = await work(tx, () => { enqueued = true; });
    const { command } = await client.query('COMMIT');
    // What Postgres answers when a statement had failed and nobody minded.
    if (command === 'ROLLBACK') throw new Error('the transaction was rolled back, because one of its statements had failed');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
  if (enqueued) await ring(target, options);
  return result;
}

module.exports = { ring, transaction };
