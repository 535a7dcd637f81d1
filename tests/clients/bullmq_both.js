// Code as users of BullMQ write it, once: bullmq_beside_test.py has BullMQ itself and dormouse-bullmq.js execute it, and compares what it prints.
// `work` is the worker; `fill` adds what waits for it, for the order; `add` adds the rest and prints what it sees of each job.
'use strict';

const fs = require('node:fs');
const { Queue, Worker, QueueEvents, UnrecoverableError, DelayedError } = require(process.env.BULLMQ);
const connection = process.env.REDIS ? { port: Number(process.env.REDIS), host: '127.0.0.1', maxRetriesPerRequest: null } : new (require('pg').Pool)();

class HttpError extends Error {
  constructor(status) {
    super(`the server says ${status}`);
    this.name = 'HttpError';
  }
}

const begun = new Map();
async function handle(job) {
  const times = begun.get(job.id) ?? [];
  begun.set(job.id, [...times, Date.now()]);
  switch (job.name) {
    case 'echo': return job.data;
    case 'context': return { name: job.name, queueName: job.queueName, made: job.attemptsMade, started: job.attemptsStarted, attempts: job.opts.attempts, backoff: job.opts.backoff,
      delay: job.opts.delay, priority: job.opts.priority, jobId: job.opts.jobId, byPriority: job.priority, timestamp: typeof job.timestamp,
      progress: job.progress, id: typeof job.id, stacktrace: job.stacktrace, json: job.toJSON().data };
    case 'not before': return [Date.now() - job.data.since >= job.opts.delay, typeof job.processedOn];
    case 'nothing': return undefined;
    case 'date': return { at: new Date(0), big: 2 ** 53, none: undefined, list: [undefined, 1] };
    case 'flaky':
      if (job.attemptsMade < job.data.failures) throw new HttpError(503);
      return { made: job.attemptsMade, pauses: begun.get(job.id).slice(1).map((at, n) => at - begun.get(job.id)[n] >= job.data.pauses[n]) };
    case 'remembers':
      if (job.attemptsMade === 0) throw new HttpError(503);
      return job.failedReason ?? null;
    case 'fails': throw new HttpError(500);
    case 'text': throw 'a text'; // eslint-disable-line no-throw-literal
    case 'lines': throw new Error('one\ntwo');
    case 'never': throw new UnrecoverableError('no such address');
    case 'later':
      if (times.length > 0) return { made: job.attemptsMade, waited: Date.now() - times[0] >= 300 };
      await job.moveToDelayed(Date.now() + 300, job.token);
      throw new DelayedError();
    case 'started':
      if (times.length > 0) return job.attemptsStarted;
      await job.moveToDelayed(Date.now() + 10, job.token);
      throw new DelayedError();
    case 'limited':
      if (times.length > 0) return { made: job.attemptsMade, waited: Date.now() - times[0] >= 300 };
      await worker.rateLimit(300);
      throw Worker.RateLimitError();
    case 'number': await job.updateProgress(42); return job.progress;
    case 'object': await job.updateProgress({ at: 'half', n: 1 }); return job.progress;
    case 'word': await job.updateProgress('half'); return job.progress;
    case 'log': return [await job.log('one'), await job.log('two')];
    case 'changed': await job.updateData({ step: 2 }); return job.data;
    default: return null;
  }
}

let worker;
function work() {
  worker = new Worker('jobs', handle, { connection, settings: { backoffStrategy: (made, type) => (type === 'own' && made < 3 ? 100 * made : -1) } });
  const say = (...what) => fs.appendFileSync(process.env.EVENTS, `${JSON.stringify(what)}\n`);
  worker.on('active', (job, before) => say(job.id, 'active', job.name, job.attemptsMade, before));
  worker.on('progress', (job, progress) => say(job.id, 'progress', progress, job.progress));
  worker.on('completed', (job, value, before) => say(job.id, 'completed', job.attemptsMade, value ?? null, job.returnvalue ?? null, typeof job.finishedOn, before));
  worker.on('failed', (job, error, before) => say(job.id, 'failed', job.attemptsMade, error?.name, error?.message, job.failedReason, typeof job.finishedOn, before));
  worker.on('error', (error) => console.error(error));
}

async function fill() {
  const queue = new Queue('jobs', { connection });
  for (const [name, opts] of [['first'], ['second'], ['fifth', { priority: 5 }], ['one', { priority: 1 }], ['late', { delay: 1 }], ['ahead', { lifo: true }], ['further ahead', { lifo: true }]])
    await queue.add(name, {}, opts);
}

const cases = [
  ['echo', { a: [1, 2.5, null, 'ü'], nested: { b: {} } }], ['echo', 'text'], ['echo', 17], ['echo', null], ['echo', undefined], ['echo', []], ['echo', { at: new Date(0), none: undefined }],
  ['context', {}, { attempts: 1 }], ['context', { n: 1 }, { attempts: 3, backoff: { type: 'fixed', delay: 10 }, delay: 300, priority: 5, jobId: 'named' }], ['context', {}, { attempts: 2, backoff: 5 }],
  ['not before', {}, { delay: 300 }], ['nothing', {}], ['date', {}], ['flaky', { failures: 2, pauses: [0, 0] }, { attempts: 3 }], ['flaky', { failures: 2, pauses: [400, 400] }, { attempts: 3, backoff: 400 }],
  ['flaky', { failures: 2, pauses: [400, 800] }, { attempts: 4, backoff: { type: 'exponential', delay: 400 } }], ['flaky', { failures: 5 }, { attempts: 2 }],
  ['flaky', { failures: 2, pauses: [100, 200] }, { attempts: 9, backoff: { type: 'own' } }], ['remembers', {}, { attempts: 2 }], ['fails', {}], ['fails', {}, { attempts: 9, backoff: { type: 'own' } }],
  ['text', {}], ['lines', {}], ['never', {}, { attempts: 5 }], ['later', {}, { attempts: 3 }], ['started', {}], ['limited', {}], ['number', {}], ['object', {}], ['word', {}], ['log', {}],
  ['changed', { step: 1 }], ['unknown', {}], ['echo', { twice: 1 }, { jobId: 'once' }], ['echo', { twice: 2 }, { jobId: 'once' }],
];

async function add() {
  const queue = new Queue('jobs', { connection, defaultJobOptions: { removeOnComplete: false } });
  const events = new QueueEvents('jobs', { connection });
  events.on('error', (error) => console.error(error));
  await events.waitUntilReady();
  const jobs = [];
  for (const [name, data, opts] of cases) jobs.push(await queue.add(name, name === 'not before' ? { since: Date.now() } : data, opts));
  for (const [n, job] of jobs.entries()) {
    const end = await job.waitUntilFinished(events, 30000).then((value) => ({ value }), (error) => ({ error: error.message }));
    const found = await queue.getJob(job.id);
    const said = fs.readFileSync(process.env.EVENTS, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter(([id]) => id === job.id).map(([, ...rest]) => rest);
    console.log(JSON.stringify({ what: JSON.stringify(cases[n].filter((one) => one !== undefined)), end, state: await job.getState(), added: [job.name, typeof job.id, typeof job.timestamp, job.attemptsMade, job.progress, job.queueName,
      job.priority], found: [await found.getState(), found.returnvalue ?? null, await found.isFailed() ? found.failedReason : null, found.attemptsMade, typeof found.finishedOn], said }));
  }
  process.exit(0);
}

const early = (queue) => queue.add('early', {}, { delay: 3600000 }).then((job) => job.getState()).then((state) => console.log(state));
({ work, add, fill: () => fill().then(() => early(new Queue('others', { connection }))).then(() => process.exit(0)) })[process.argv[2] ?? 'work']();
