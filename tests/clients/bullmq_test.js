// dormouse-bullmq.js on a real Postgres, with the jobs of bullmq_jobs.js executed by a real worker.
'use strict';

const assert = require('node:assert');
const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const client = path.join(path.dirname(process.env.DORMOUSE_CLIENT), 'dormouse-bullmq.js');
const bullmq = require(client);
const { drain, enqueue } = require(process.env.DORMOUSE_CLIENT);
let pg;
try { pg = require('pg'); } catch {
  console.log('SKIPPED: there is no pg in NODE_PATH (./dev setup installs it)');
  process.exit(77);
}

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'dormouse-bullmq.'));
const config = path.join(directory, 'pool.toml');
const table = (name) => `[task.${name}]\nhandler = "warm"\ncommand = [${JSON.stringify(process.execPath)}, ${JSON.stringify(path.join(__dirname, 'bullmq_jobs.js'))}]
backoff = { base = "1ms", max = "1ms" }\nmax_attempts = 2\nenvironment = { CLIENT = ${JSON.stringify(client)} }\ngrace = "2s"\n${name === 'others' ? 'on_failure = "told"\n' : ''}`;
fs.writeFileSync(config, `[database]\nurl = "postgresql://postgres@/postgres?host=${process.env.PGHOST}"\n${['jobs', 'others', 'told', 'files', 'modules'].map(table).join('')}`);
const pool = new pg.Pool();
const jobs = new bullmq.Queue('jobs', { connection: pool, defaultJobOptions: { removeOnComplete: { age: 3600 } } });
const row = async (job) => (await pool.query('SELECT to_jsonb(r) AS row FROM dormouse.runs r WHERE id = $1', [job.id])).rows[0].row;
const log = async (job) => (await pool.query('SELECT text FROM dormouse.logs WHERE run_id = $1 ORDER BY attempt, line', [job.id])).rows.map((one) => one.text);

test.after(async () => {
  await pool.end();
  fs.rmSync(directory, { recursive: true });
});

test('what is added is executed, and its processor knows of it what it knew', async () => {
  const job = await jobs.add('echo', { a: 1 }, { attempts: 4, backoff: 5 });
  assert.deepStrictEqual([await job.getState(), (await row(job)).max_attempts, (await row(job)).queue], ['waiting', 5, 'default']);
  const other = await new bullmq.Queue('others', { connection: pool }).add('any', [1]);
  await drain({ config });
  assert.deepStrictEqual(await job.waitUntilFinished(undefined, 60000),
    { data: { a: 1 }, id: job.id, made: 0, started: 1, queue: 'jobs', opts: { attempts: 4, backoff: { type: 'fixed', delay: 5 } } });
  assert.deepStrictEqual([await job.isCompleted(), await other.waitUntilFinished()], [true, [1]]);
  assert.deepStrictEqual((await log(job)).slice(0, 1), ['active echo']);
  assert.match((await log(job))[1], /^completed 1 \{"data"/);
  assert.strictEqual(await (await jobs.getJob(job.id)).getState(), 'completed');
  assert.strictEqual(await jobs.getJob(randomUUID()), undefined);
});

test('attempts and backoff are those of the job', async () => {
  const cases = [
    ['third time', { attempts: 3 }, 'completed', 3], ['third time', { attempts: 2, backoff: 1 }, 'failed', 2], ['third time', {}, 'failed', 1],
    ['third time', { attempts: 3, backoff: { type: 'exponential', delay: 2, jitter: 0.5 } }, 'completed', 3],
    ['third time', { attempts: 5, backoff: { type: 'own' } }, 'completed', 3], ['plain', { attempts: 9, backoff: { type: 'own' } }, 'failed', 3],
    ['plain', { attempts: 9, backoff: { type: 'unknown' } }, 'failed', 1], ['never', { attempts: 9 }, 'failed', 1], ['later', {}, 'completed', 1],
  ];
  const added = [];
  for (const [name, options] of cases) added.push(await jobs.add(name, {}, options));
  await drain({ config });
  for (const [at, [name, options, state, attempts]] of cases.entries())
    assert.deepStrictEqual([await added[at].getState(), (await row(added[at])).attempts], [state, attempts], `${name} ${JSON.stringify(options)}`);
  await assert.rejects(added[1].waitUntilFinished(), { message: 'attempt 2' });
  const { error } = await row(added[1]);
  assert.strictEqual(error.class, 'Unreachable');
  assert.match(error.message, /bullmq_jobs\.js/);
  assert.deepStrictEqual((await log(added[1])).filter((line) => line.startsWith('failed')), ['failed 1 attempt 1', 'failed 2 attempt 2']);
  assert.strictEqual(await added[1].isFailed(), true);
  const found = await jobs.getJob(added[1].id);
  assert.deepStrictEqual([found.failedReason, found.attemptsMade, found.returnvalue, typeof found.finishedOn], ['attempt 2', 2, null, 'number']);
});

test('a strategy that is async is waited for, and one that fails hides no error', async () => {
  const types = ['broken', 'odd', 'none'];
  const added = [];
  for (const type of types) added.push(await jobs.add('plain', {}, { attempts: 2, backoff: { type } }));
  const wrong = await jobs.add('plain', {}, { attempts: 2, backoff: { type: 'fixed', delay: 'soon' } });
  const own = await jobs.add('plain', {}, { attempts: 2, backoff: { type: 'own' } });
  await drain({ config });
  for (const [at, job] of [...added, wrong, own].entries()) {
    const { error, attempts } = await row(job);
    assert.deepStrictEqual([error.class, error.message.split('\n')[0], attempts], ['TypeError', 'always', at === 2 ? 1 : 2], `${at}`);
  }
  assert.deepStrictEqual((await log(added[0])).slice(1), ['backoff: no such strategy; the next attempt is when the task\'s table says', 'failed 1 always', 'active plain', 'failed 2 always']);
  assert.match((await log(wrong))[1], /^backoff: NaN is no number of milliseconds/);
});

test('an error that cannot say its message fails its job alone', async () => {
  const [mute, bare] = [await jobs.add('mute'), await jobs.add('bare')];
  await drain({ config });
  assert.deepStrictEqual([(await row(mute)).error.class, await mute.waitUntilFinished().catch(({ message }) => message)], ['Unreachable', '(its message cannot be shown)']);
  assert.strictEqual((await row(bare)).error.class, 'Error');
});

test('a job that is timed out or canceled has failed, also if its processor does not listen', async () => {
  const timed = { id: await enqueue(pool, 'jobs', { name: 'heedless', data: { for: 700 } }, { timeout: 0.3, maxAttempts: 1 }) };
  await drain({ config });
  assert.strictEqual((await row(timed)).status, 'failed');
  assert.deepStrictEqual(await log(timed), ['active heedless', 'failed 1 cancelled: timeout']);
  const canceled = await jobs.add('heedless', { for: 300000 });
  const drained = drain({ config });
  while (!(await log(canceled)).includes('active heedless')) await new Promise((done) => { setTimeout(done, 50); });
  await canceled.remove();
  await drained;
  assert.deepStrictEqual([await canceled.getState(), await log(canceled)], ['failed', ['active heedless', 'failed 1 cancelled: canceled']]);
});

test('a listener that throws is no failure of the job', async () => {
  const job = await jobs.add('heard wrongly');
  await drain({ config });
  assert.strictEqual(await job.waitUntilFinished(), 'done');
});

test('on_failure of a table may name a queue', async () => {
  const failed = { id: await enqueue(pool, 'others', { name: 'x', nonsense: 1 }) };
  await drain({ config });
  const [{ result: { name, data, attempts } }] = (await pool.query("SELECT result FROM dormouse.runs WHERE task = 'told'")).rows;
  assert.deepStrictEqual([name, data.run_id, data.task, data.error.class, attempts], ['told', failed.id, 'others', 'BadPayload', 2]);
});

test('an error has its own class, whatever becomes of the job, and its own lines', async () => {
  const [last, again] = [await jobs.add('lines'), await jobs.add('lines', {}, { attempts: 2, backoff: 3600000 })];
  await drain({ config });
  assert.deepStrictEqual([(await row(last)).error.class, (await row(again)).error.class], ['Error', 'Error']);
  await assert.rejects(last.waitUntilFinished(new bullmq.QueueEvents('jobs')), { message: 'one\ntwo' });
  await again.remove();
});

test('a job whose process was killed is done again, as one that has stalled', async () => {
  const job = await jobs.add('killed'); // alone: others of the process would die with it
  await drain({ config });
  assert.deepStrictEqual([await job.waitUntilFinished(), (await row(job)).attempts], ['again', 2]);
});

test('a processor in a file of its own', async () => {
  const added = [];
  for (const name of ['files', 'modules']) added.push(await new bullmq.Queue(name, { connection: pool }).add('any', { n: 1 }));
  await drain({ config });
  for (const job of added) assert.deepStrictEqual(await job.waitUntilFinished(), { n: 1, name: 'any' });
});

test('a job that has finished is started again by the same jobId, if that is said', async () => {
  const add = () => jobs.add('echo', { n: 1 }, { jobId: 'library-17' });
  const job = await add();
  assert.strictEqual((await job.retry()).done, false); // it waits
  await drain({ config });
  assert.strictEqual(await (await add()).getState(), 'completed');
  assert.strictEqual((await (await add()).retry()).done, true);
  assert.strictEqual(await job.getState(), 'waiting');
  await drain({ config });
  for (const removeOnComplete of [true, 0, { count: 0 }]) // with BullMQ the second one would be added, and here nobody would hear that it is not
    await assert.rejects(jobs.add('echo', {}, { jobId: 'library-17', removeOnComplete }), /removeOnComplete: false.*retry\(\)/);
});

test('pauses grow as they did', async () => {
  const job = await jobs.add('third time', {}, { attempts: 3, backoff: { type: 'exponential', delay: 3600000 } });
  await drain({ config });
  const seconds = (await pool.query('SELECT extract(epoch FROM run_at - now()) AS s FROM dormouse.runs WHERE id = $1', [job.id])).rows[0].s;
  assert.ok(seconds > 3000 && seconds <= 3600, seconds);
  assert.strictEqual(await job.getState(), 'delayed');
  assert.strictEqual((await job.remove()).done, true);
});

test('progress and log', async () => {
  const [steps, object] = await jobs.addBulk([{ name: 'steps' }, { name: 'object' }]);
  await drain({ config });
  assert.deepStrictEqual([(await row(steps)).progress, (await row(object)).progress_text, await steps.waitUntilFinished()], [0.25, '{"at":"half"}', 25]);
  assert.deepStrictEqual(await log(steps), ['active steps', 'progress 25', 'a quarter', 'completed 1 25']);
});

test('options are those of the run', async () => {
  const now = Date.now();
  for (const [options, name, value] of [[{ priority: 7 }, 'priority', 7], [{ lifo: true }, 'priority', -1], [{ jobId: 'order-17' }, 'key', 'order-17'], [{ attempts: 7 }, 'max_attempts', 8]])
    assert.strictEqual((await row(await jobs.add('none', {}, options)))[name], value);
  const late = new Date((await row(await jobs.add('none', {}, { delay: 3600000 }))).run_at) - now;
  assert.ok(late > 3500000 && late < 3700000, late);
  assert.strictEqual((await jobs.add('none', {}, { jobId: 'twice' })).id, (await jobs.add('none', {}, { jobId: 'twice' })).id);
  assert.strictEqual((await row(await new bullmq.Queue('jobs', { connection: pool, queue: 'slow' }).add('none'))).queue, 'slow');
});

test('it can be within a transaction of its own', async () => {
  const one = await pool.connect();
  await one.query('BEGIN');
  const job = await jobs.add('none', {}, { connection: one });
  await one.query('ROLLBACK');
  one.release();
  assert.strictEqual(await job.getState(), 'unknown');
  await assert.rejects(jobs.addBulk([{ name: 'none', opts: { jobId: 'of a bulk' } }, { name: 'none', opts: { attempts: 0 } }]), /attempts/);
  assert.strictEqual((await pool.query("SELECT count(*) AS n FROM dormouse.runs WHERE key = 'of a bulk'")).rows[0].n, '0');
});

test('runs of other origin', async () => {
  const failing = { id: await enqueue(pool, 'jobs', { name: 'plain' }) }; // as often as the table says
  const wrong = { id: await enqueue(pool, 'jobs', { to: 'you' }) };
  await drain({ config });
  assert.deepStrictEqual([(await row(failing)).attempts, (await row(wrong)).error.class], [2, 'BadPayload']);
});

test('a processor is told what only a producer has', async () => {
  const job = await jobs.add('of a producer');
  await drain({ config });
  await assert.rejects(job.waitUntilFinished(), { message: 'job.remove(): only of a job that add() or getJob() resolved to; within a processor, return or throw ends it' });
});

test('all of it can be imported by name, too', () => {
  const program = `import { ${Object.keys(bullmq)} } from ${JSON.stringify(client)}; console.log(typeof FlowProducer)`;
  const { stdout, stderr } = require('node:child_process').spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.strictEqual(stdout, 'function\n', stderr);
});

test('what is not here says what to do instead', async () => {
  for (const [attempt, word] of [
    [() => jobs.add('none', {}, { repeat: { every: 1 } }), 'timer'], [() => jobs.add('none', {}, { parent: {} }), 'job.run.enqueue'], [() => jobs.add('none', {}, { deduplication: {} }), 'jobId'],
    [() => jobs.add('none', {}, { atempts: 1 }), 'there is no option atempts'], [() => jobs.add('none', {}, { jobId: randomUUID() }), 'save the id'],
    [() => jobs.add('none', {}, { priority: 1000 }), '-100 to 100'], [async () => jobs.upsertJobScheduler('x'), 'timer'], [async () => jobs.getJobCounts(), 'dormouse status'],
    [async () => new bullmq.QueueEvents('x').on('completed', () => {}), 'waitUntilFinished'], [async () => new bullmq.WaitingChildrenError(), 'job.run.enqueue'],
    [async () => jobs.getFailed(), 'dormouse runs'], [async () => jobs.clean(), 'retention'], [async () => jobs.retryJobs(), 'dormouse retry'], [async () => (await jobs.add('none')).promote(), 'run_at'],
    [async () => (await jobs.getJob((await jobs.add('none')).id)).data, 'dormouse_reader'], [async () => new bullmq.FlowProducer(), 'job.run.enqueue'], [async () => new bullmq.Queue('x', { connection: { host: 'redis' } }), 'no Redis'],
    [async () => new bullmq.Queue('x'), 'no Redis'], [async () => new bullmq.Worker('x', '/srv/app/processor.js'), "Cannot find module '/srv/app/processor.js'"], [async () => new bullmq.Worker('x', {}), 'give a function'],
    [async () => (await jobs.add('none')).updateProgress(1), 'only within a processor'], [async () => jobs.remove('order-17'), 'add() with the same jobId'], [async () => new bullmq.Worker('x', () => 1, { limiter: {} }), 'concurrency'],
    [() => jobs.getJob('order-17'), 'add() with the same jobId'],
  ]) await assert.rejects(async () => attempt(), (error) => error.message.includes(word) || assert.fail(`${error.message}: not a word of ${word}`));
});
