// What producers call, on a connection of theirs and in its transaction: enqueue, enqueueMany, result, wait, cancel, retry; and for their tests
// enqueued and drain. The connection is a Client, PoolClient or Pool of pg, sql of postgres.js, knex, prisma, or a function (text, values) that
// sends a statement with $1, $2, … and resolves to its rows, for everything else.
//
// Every parameter goes to Postgres as text, with its cast in the statement: no driver's own idea of JSON or time is in the way.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { hasHalf, payloadJson, mostBytes } = require('./dormouse-json.js');
const { ring, transaction, owe, watch, mayBeCommitted, Within } = require('./dormouse-ring.js');

// --- what a run is enqueued with: checked before anything is sent, so that a mistake leaves the caller's transaction as it is -------------

const tenYears = 315576000; // in seconds
const unprintable = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/; // eslint-disable-line no-control-regex
const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/;

function text(name, value, most, namesSomething = true) {
  if (typeof value !== 'string') throw new TypeError(`${name}: ${value}; expected text, got ${value === null ? 'null' : `a ${typeof value}`}`);
  if (value.includes('\0')) throw new RangeError(`${name} ${JSON.stringify(value)} has a NUL character, which Postgres cannot store; leave it out`);
  if (hasHalf(JSON.stringify(value))) throw new RangeError(`${name} ${JSON.stringify(value)} has half a surrogate pair, which is not valid text`);
  const size = Buffer.byteLength(value);
  if (size < 1 || size > most) throw new RangeError(`${name} has ${size} bytes, expected 1 to ${most}`);
  if (namesSomething && unprintable.test(value))
    throw new RangeError(`${name} ${JSON.stringify(value)} has a control character or a line break; leave it out`);
  return value;
}

function integer(name, value, least, most) {
  if (!Number.isInteger(value)) throw new TypeError(`${name}: ${JSON.stringify(value)}; expected an integer, ${least} to ${most}`);
  if (value < least || value > most) throw new RangeError(`${name}: ${value}; expected ${least} to ${most}`);
  return String(value);
}

function seconds(name, value) {
  if (typeof value !== 'number') throw new TypeError(`${name}: ${JSON.stringify(value)}; expected a number of seconds`);
  if (!(value >= 0 && value < Infinity)) throw new RangeError(`${name}: ${value}; expected 0 seconds or more`);
  return `${Math.min(value, tenYears).toFixed(6)} seconds`;
}

function time(value) {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new RangeError('runAt (run_at): this Date is none');
    return value.toISOString();
  }
  const parts = typeof value === 'string' ? isoTime.exec(value) : null;
  if (!parts) throw new TypeError(`runAt (run_at): ${JSON.stringify(value)}; expected a Date, or text like 2031-03-01T08:00:00Z`);
  if (!parts[3])
    throw new RangeError(`runAt (run_at): ${value} has no time zone, so it is ambiguous; end it with Z or +01:00, or give a Date`);
  return value;
}

const checks = {
  queue: (value) => text('queue', value, 48),
  priority: (value) => integer('priority', value, -100, 100),
  runAt: time,
  delay: (value) => seconds('delay', value),
  key: (value) => text('key', value, 500, false),
  maxAttempts: (value) => integer('maxAttempts', value, 1, 1000),
  timeout: (value) => seconds('timeout', value),
  traceparent: (value) => text('traceparent', value, 512, false),
};
const types = { payload: 'jsonb', priority: 'integer', run_at: 'timestamptz', delay: 'interval', max_attempts: 'integer', timeout: 'interval' };
const named = { runAt: 'run_at', maxAttempts: 'max_attempts' };

/// What other queues call an option: whoever comes from one of them is told what it is here.
const elsewhere = {};
for (const [here, names] of Object.entries({
  timeout: 'expireInSeconds expireInMinutes expireInHours job_timeout', key: 'singletonKey jobKey jobId job_key', delay: 'startAfter countdown', runAt: 'run_at startAt eta',
  'maxAttempts, the first attempt included': 'retryLimit attempts max_attempts retries', "backoff in the task's table of the pool's file": 'retryDelay retryBackoff backoff',
  "on_failure in the task's table of the pool's file": 'deadLetter onFailure', "finished in [retention] of the pool's file": 'retentionSeconds retentionDays deleteAfterSeconds removeOnComplete removeOnFail',
  'docs/moving/flows.md': 'singletonSeconds jobKeyMode deduplication parent', "concurrency in the task's table, or a lock: docs/moving/from-graphile-worker.md": 'queueName group', 'the connection, the first argument': 'db',
})) for (const name of names.split(' ')) elsewhere[name] = `; here it is ${here}`;

/// The named arguments of the SQL function, as text.
function membersOf(task, options, without = []) {
  const members = { task: text('task', task, 200) };
  for (const [name, value] of Object.entries(options)) {
    if (name === 'ring') continue;
    if (!Object.hasOwn(checks, name) || without.includes(name))
      throw new TypeError(`there is no option ${name}${elsewhere[name] ?? ''}; there are ${Object.keys(checks).filter((one) => !without.includes(one)).join(', ')}, ring`);
    if (value !== undefined && value !== null) members[named[name] ?? name] = checks[name](value);
  }
  if ('run_at' in members && 'delay' in members)
    throw new TypeError('runAt (run_at) and delay exclude each other: give the time, or the delay from now');
  return members;
}

function call(members, first = 1) {
  return Object.keys(members).map((name, at) => `${name} => CAST(${name in types ? `CAST($${first + at} AS text) AS ${types[name]}` : `$${first + at} AS text`})`).join(', ');
}

function idOf(id) {
  if (typeof id !== 'string' || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id))
    throw new TypeError(`${JSON.stringify(id)} is not the id of a run; give what enqueue() resolved to`);
  return id;
}

// --- the connection -----------------------------------------------------------------------------------------------------------------------

/// How to ask for rows, and how it hears of the commit: root: what it executes is committed by itself; hook: a client of pg, which tells.
function connectionOf(conn) {
  if (conn instanceof Within) return { rows: (sql, values) => conn.client.query(sql, values), hook: conn.client };
  if (typeof conn?.unsafe === 'function') return { rows: (sql, values) => conn.unsafe(sql, values), root: typeof conn.begin === 'function' };
  if (typeof conn?.$queryRawUnsafe === 'function')
    return { rows: (sql, values) => conn.$queryRawUnsafe(sql, ...values), root: typeof conn.$transaction === 'function' };
  if (typeof conn?.raw === 'function' && typeof conn === 'function') // knex; every $n comes once and in order
    return { rows: (sql, values) => conn.raw(sql.replace(/\$\d+/g, '?'), values), root: conn.isTransaction !== true };
  if (typeof conn?.query === 'function' && typeof conn.connect === 'function')
    return { rows: (sql, values) => conn.query(sql, values), root: 'totalCount' in conn, hook: conn };
  if (typeof conn === 'function') return { rows: conn };
  throw new TypeError('this is not a connection: give a Client, PoolClient or Pool of pg, sql of postgres.js, knex or its trx, prisma or its tx, or a '
    + 'function (text, values) that resolves to rows (Kysely, Drizzle and others: docs/producers.md)');
}

async function ask(conn, sql, values, targets = []) {
  const connection = connectionOf(conn);
  const state = targets.length > 0 && !connection.root && connection.hook ? watch(connection.hook) : undefined;
  let answer;
  try {
    answer = await connection.rows(sql, values);
  } catch (error) {
    if (targets.length > 0 && (connection.root || (state && state.status !== 'T' && state.status !== 'E')) && mayBeCommitted(error)) {
      if (state) [state.owed, state.committed] = [new Set([...state.owed, ...targets]), true]; // and once the answer has come
      await Promise.all(targets.map((target) => ring(target)));
    }
    throw error;
  }
  const row = (answer?.rows ?? answer)?.[0];
  if (row === undefined) throw new TypeError('the function (text, values) resolved to no rows: an array of objects is wanted, or an object with rows');
  if (connection.root || state?.status === 'I') for (const target of targets) await ring(target);
  else if (state) for (const target of targets) state.owed.add(target);
  else if (targets.length > 0) owe(targets);
  return Object.values(row)[0];
}

/// Which to ring for a queue: those asked for; else those that DORMOUSE_RING names; else the pool of the queue's name, if there is one on this
/// host, or "default".
function doorbells(queue = 'default', asked = true) {
  if (asked === false || asked === '') return [];
  if (asked !== true) return Array.isArray(asked) ? asked : [asked];
  const names = process.env.DORMOUSE_RING;
  if (names !== undefined) return names.split(/[\s,]+/).filter(Boolean);
  const directory = process.env.DORMOUSE_PATHS_RUNTIME_DIRECTORY || '/run/dormouse';
  return [!/[/:]/.test(queue) && fs.existsSync(`${directory}/${queue}.sock`) ? queue : 'default'];
}

// --- what producers call ------------------------------------------------------------------------------------------------------------------

/// Enqueues one run in the transaction of `conn` and resolves to its id: nothing happens before the commit, and nothing after a rollback.
/// The default payload is {}. options: key, runAt (a Date), delay and timeout (seconds), queue, priority (-100 to 100, smaller is sooner),
/// maxAttempts, traceparent; ring: the doorbell of the pool, a name, a path, HOST:PORT or an array, false: none.
async function enqueue(conn, task, payload, options = {}) {
  const members = membersOf(task, options);
  if (payload !== undefined) members.payload = payloadJson(payload, `the payload of '${task}'`);
  return ask(conn, `SELECT CAST(dormouse.enqueue(${call(members)}) AS text) AS value`, Object.values(members), doorbells(members.queue, options.ring));
}

/// Enqueues one run for each payload, in one statement, and resolves to their ids in that order. options.keys: one (or null) for each; the rest
/// is enqueue()'s.
async function enqueueMany(conn, task, payloads, { keys, ...options } = {}) {
  if (!Array.isArray(payloads)) throw new TypeError(`payloads is not a list but ${typeof payloads}; give an array of payloads, or call enqueue()`);
  const members = membersOf(task, options, ['key', 'traceparent']);
  const encoded = payloads.map((payload, at) => payloadJson(payload, `payload ${at} of '${task}'`));
  const size = encoded.reduce((sum, one) => sum + one.length, 0);
  if (size > 8 * mostBytes)
    throw new RangeError(`${encoded.length} payloads of ${size} characters in one statement, expected at most ${8 * mostBytes}; call enqueueMany() several times`);
  const values = [`[${encoded.join(',')}]`];
  let arrays = 'payloads => ARRAY(SELECT e.v FROM jsonb_array_elements(CAST(CAST($1 AS text) AS jsonb)) WITH ORDINALITY e (v, n) ORDER BY e.n)';
  if (keys !== undefined && keys !== null) {
    if (!Array.isArray(keys)) throw new TypeError('keys is not a list; give an array with one key, or null, for each payload');
    const checked = keys.map((key) => (key === null || key === undefined ? null : checks.key(key)));
    if (checked.length !== encoded.length) throw new RangeError(`${encoded.length} payloads and ${checked.length} keys; give one key, or null, for each payload`);
    values.push(JSON.stringify(checked));
    arrays += ', keys => ARRAY(SELECT e.v FROM jsonb_array_elements_text(CAST(CAST($2 AS text) AS jsonb)) WITH ORDINALITY e (v, n) ORDER BY e.n)';
  }
  const sql = `SELECT CAST(coalesce(json_agg(e.id ORDER BY e.n), '[]') AS text) AS value FROM dormouse.enqueue_many(${arrays}, ${call(members, values.length + 1)}) WITH ORDINALITY e (id, n)`;
  return JSON.parse(await ask(conn, sql, [...values, ...Object.values(members)], encoded.length > 0 ? doorbells(members.queue, options.ring) : []));
}

const finished = ['completed', 'failed', 'canceled'];

/// The run's status and outcome: { id, status, result, error, attempts, finishedAt, finished, completed }; null: there is no such run (any more), or
/// its transaction is not committed.
async function result(conn, id) {
  const value = await ask(conn, 'SELECT CAST((SELECT json_build_array(r.status, r.result, r.error, r.attempts, extract(epoch FROM r.finished_at) * 1000) '
    + 'FROM dormouse.result(CAST(CAST($1 AS text) AS uuid)) r) AS text) AS value', [idOf(id)]);
  if (value === null) return null;
  const [status, answer, error, attempts, at] = JSON.parse(value);
  return { id, status, result: answer, error, attempts, finishedAt: at === null ? null : new Date(at), finished: finished.includes(status), completed: status === 'completed' };
}

const answerOf = (said, ...done) => ({ done: done.includes(said.split(':')[0]), text: said });

/// Cancels the run when the transaction commits; the handler of a running one is stopped. Resolves to { done, text }.
async function cancel(conn, id, reason) {
  const values = [idOf(id), ...(reason === undefined || reason === null ? [] : [text('reason', reason, 8192, false)])];
  return answerOf(await ask(conn, `SELECT dormouse.cancel(CAST(CAST($1 AS text) AS uuid)${values.length > 1 ? ', CAST($2 AS text)' : ''}) AS value`, values), 'canceled');
}

/// Starts a finished run again; a run that waits for its next attempt becomes due at once. Resolves to { done, text }.
async function retry(conn, id, options = {}) {
  const said = await ask(conn, 'SELECT dormouse.retry(CAST(CAST($1 AS text) AS uuid)) AS value', [idOf(id)], doorbells(undefined, options.ring));
  return answerOf(said, 'queued', 'due');
}

/// Waits until the run has finished, with whatever status, and resolves to its result(); rejects after `timeout` seconds. It polls at intervals
/// that grow from 20 ms to 1 s. Commit the transaction that enqueued the run first.
async function wait(conn, id, { timeout = Infinity } = {}) {
  const { hook } = connectionOf(conn);
  const state = hook && watch(hook);
  const deadline = Date.now() + timeout * 1000;
  for (let pause = 20; ; pause = Math.min(pause * 1.5, 1000)) {
    const found = await result(conn, id);
    if (state?.status === 'T')
      throw new Error('wait(): the client is in a transaction, in which the run may have been enqueued: it is not executed before the commit. Commit first, or wait on another');
    if (found === null) throw new Error(`wait(): there is no run ${id}; either it was never committed, or it has been removed since`);
    if (found.finished) return found;
    const left = Math.min(pause, deadline - Date.now());
    if (left <= 0) throw new Error(`wait(): run ${id} is ${found.status} still; does a pool serve its queue and its task (dormouse status)?`);
    await new Promise((resolve) => { setTimeout(resolve, left); });
  }
}

/// For a test that rolls back at its end: the runs that the open transaction of `conn` has enqueued so far, in order, of one task or of all. The
/// login must be allowed to read dormouse.runs.
async function enqueued(conn, { task } = {}) {
  const sql = `SELECT CAST(coalesce(json_agg(json_build_object('id', r.id, 'task', r.task, 'payload', r.payload, 'queue', r.queue, 'priority', r.priority,
    'key', r.key, 'runAt', r.run_at) ORDER BY r.id), '[]') AS text) AS value FROM dormouse.runs r WHERE r.created_at = now()`;
  const found = JSON.parse(await (task === undefined ? ask(conn, sql, []) : ask(conn, `${sql} AND r.task = CAST($1 AS text)`, [task])));
  return found.map((one) => ({ ...one, runAt: one.runAt === 'infinity' ? null : new Date(one.runAt) })); // null: parked
}

/// For tests: executes all due, committed runs with `dormouse worker POOL --drain`, and resolves to its log when nothing is due. Rejects if the
/// worker fails, or has not finished in `timeout` seconds. A failed run is not a failure of the worker: check result().
function drain({ pool = 'default', config, databaseUrl, timeout = 60, program = process.env.DORMOUSE || 'dormouse' } = {}) {
  const flags = ['worker', pool, '--drain', `--timeout=${Math.max(Math.round(timeout * 1000), 1)}ms`];
  if (config !== undefined) flags.push(`--config=${config}`);
  if (databaseUrl !== undefined) flags.push(`--database-url=${databaseUrl}`);
  return new Promise((resolve, reject) => {
    const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (piece) => { log += piece; });
    child.once('error', (error) => reject(new Error(`drain(): ${program}: ${error.message}; install the package, or name it by DORMOUSE=/path/of/dormouse`)));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(log);
      const known = { 5: `not everything was done in ${timeout} s`, 9: 'its configuration cannot be used' };
      const why = known[code] ?? `it ended with ${signal ?? code}`;
      return reject(new Error(`drain(): ${[program, ...flags].join(' ')}: ${why}\n${log}`));
    });
  });
}

module.exports = { enqueue, enqueueMany, result, wait, cancel, retry, enqueued, drain, ring, transaction };
