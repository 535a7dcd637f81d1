// Queues and workers that were written for BullMQ, on dormouse: require('…/dormouse-bullmq.js') in place of require('bullmq').
//
//   const { Queue, Worker } = require('/usr/share/dormouse/clients/node/dormouse-bullmq.js');
//   const queue = new Queue('mail', { connection: pool });                       // of pg, or whatever enqueue() takes
//   await queue.add('welcome', { to: 'you' }, { attempts: 3, backoff: { type: 'exponential', delay: 1000 } });
//   new Worker('mail', async (job) => send(job.data));                           // in the file that the pool starts
//
// A queue of BullMQ is a task here, and the payload is { name, data, attempts, backoff }. docs/moving/from-bullmq.md says what is the same and
// what is not. What is not here throws an error that names what to do instead.
'use strict';

const { EventEmitter } = require('node:events');
const { task, serve, enqueue, result, wait, cancel, retry, Fail, Retry, Snooze, BadPayload } = require('./dormouse.js');
const { transaction } = require('./dormouse-ring.js');

/// Fails the job for good, whatever its attempts.
class UnrecoverableError extends Fail {}
/// Thrown after job.moveToDelayed(): not now, and no attempt used up.
class DelayedError extends Error {}

const timer = 'a systemd timer enqueues it: docs/moving/from-cron.md';
const instead = {
  repeat: timer, upsertJobScheduler: timer, addRepeatable: timer, JobScheduler: timer,
  parent: 'enqueue the next one at the end of the processor: job.run.enqueue()', FlowProducer: 'enqueue the next one at the end of the processor: job.run.enqueue()',
  deduplication: 'jobId enqueues once', limiter: 'the key concurrency of the task\'s table bounds how many run at once',
  QueueEvents: 'await job.waitUntilFinished() where a job is waited for; events of a Worker come in its own process',
  updateData: 'write to a table of yours', getJobCounts: 'dormouse status; SELECT status, count(*) FROM dormouse.runs GROUP BY status',
  getJobs: 'SELECT * FROM dormouse.runs', drain: 'dormouse cancel --task', obliterate: 'dormouse cancel --task',
  pause: 'systemctl stop dormouse@POOL.target', resume: 'systemctl start dormouse@POOL.target',
};
function refuse(name) {
  throw new Error(`${name} of BullMQ is not in dormouse; instead: ${instead[name]}`);
}

const passedOver = ['removeOnComplete', 'removeOnFail', 'keepLogs', 'stackTraceLimit', 'sizeLimit', 'timestamp', 'prefix'];
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const states = { queued: 'waiting', blocked: 'waiting-children', running: 'active', retry: 'delayed', completed: 'completed', failed: 'failed', canceled: 'failed' };

/// BullMQ's options as those of enqueue(), and what the worker has to know of them.
function optionsOf(options) {
  const { delay, attempts = 1, backoff, priority, jobId, lifo, connection, ring, ...rest } = options;
  for (const name of Object.keys(rest)) {
    if (rest[name] === undefined || passedOver.includes(name)) continue;
    if (Object.hasOwn(instead, name)) refuse(name);
    throw new TypeError(`there is no option ${name}; there are delay, attempts, backoff, priority, jobId, lifo, connection, ring`);
  }
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 999) throw new RangeError(`attempts: ${attempts}; expected 1 to 999`);
  if (jobId !== undefined && uuid.test(jobId))
    throw new TypeError(`jobId: ${jobId}: the database makes the id of a job; save the id of what add() resolves to. To add once, give a name: 'order-17'`);
  // One attempt more is for a worker that was killed: what BullMQ calls stalled is done again, too.
  return { kept: { attempts, backoff }, given: { delay: delay && delay / 1000, maxAttempts: attempts + 1, key: jobId, priority: lifo ? -1 : priority, ring } };
}

class Queue extends EventEmitter {
  /// connection: a Pool or Client of pg, or what else enqueue() takes. queue: the lane of dormouse, "default" by itself.
  constructor(name, { connection, defaultJobOptions = {}, queue, ...rest } = {}) {
    super();
    if (connection === undefined || typeof connection?.host === 'string')
      throw new TypeError(`new Queue('${name}'): give { connection }, a Pool of pg or what else enqueue() takes; there is no Redis here`);
    for (const option of Object.keys(rest)) if (Object.hasOwn(instead, option)) refuse(option);
    [this.name, this.connection, this.defaultJobOptions, this.queue] = [name, connection, defaultJobOptions, queue];
  }

  /// options.connection: a client of yours, in whose transaction it is.
  async add(name, data = {}, options = {}) {
    const all = { ...this.defaultJobOptions, ...options };
    const { kept, given } = optionsOf(all);
    const id = await enqueue(all.connection ?? this.connection, this.name, { name, data, ...kept }, { queue: this.queue, ...given });
    return new Job(this, id, name, data, all);
  }

  /// All or none.
  addBulk(jobs) {
    return transaction(this.connection, (tx) => jobs.reduce(async (before, { name, data, opts }) =>
      [...await before, await this.add(name, data, { ...opts, connection: tx })], Promise.resolve([])));
  }

  async getJob(id) {
    return await result(this.connection, id) === null ? undefined : new Job(this, id);
  }

  async close() { /* the connection is yours */ }
}
for (const name of ['upsertJobScheduler', 'getJobCounts', 'getJobs', 'drain', 'obliterate', 'pause', 'resume'])
  Queue.prototype[name] = () => refuse(name);

/// What add() and getJob() resolve to.
class Job {
  constructor(queue, id, name, data, opts) {
    Object.assign(this, { id, name, data, opts, queueName: queue.name });
    Object.defineProperty(this, 'queue', { value: queue });
  }
  async getState() {
    const found = await result(this.queue.connection, this.id);
    return found === null ? 'unknown' : states[found.status];
  }
  async isCompleted() { return await this.getState() === 'completed'; }
  async isFailed() { return await this.getState() === 'failed'; }
  /// What the processor returned. The QueueEvents that BullMQ wants is not needed; ttl in milliseconds.
  async waitUntilFinished(events, ttl) {
    const done = await wait(this.queue.connection, this.id, { timeout: ttl === undefined ? undefined : ttl / 1000 });
    if (!done.completed) throw new Error(String(done.error?.message ?? done.status).split('\n')[0]);
    return done.result;
  }
  remove() { return cancel(this.queue.connection, this.id); }
  retry() { return retry(this.queue.connection, this.id); }
}

/// What a processor is given. `run` is dormouse's own.
class JobAtWork {
  constructor(run, { name = run.task, data = {}, attempts = run.maxAttempts, backoff }) {
    Object.assign(this, { id: run.id, name, data, queueName: run.task, opts: { attempts, backoff }, attemptsMade: run.attempt - 1, attemptsStarted: run.attempt, progress: 0 });
    Object.defineProperty(this, 'run', { value: run });
  }
  /// 0 to 100, or an object, which is shown as text.
  async updateProgress(progress) {
    this.progress = progress;
    if (typeof progress === 'number') this.run.progress(progress / 100);
    else this.run.progress(typeof progress === 'string' ? progress : JSON.stringify(progress));
  }
  async log(row) { this.run.log(row); }
  async moveToDelayed(timestamp) { this.delayedTo = timestamp; }
  updateData() { refuse('updateData'); }
}

/// How long until the next attempt, in milliseconds; -1: there is none.
function pauseAfter(job, error, strategy) {
  const { type = 'fixed', delay = 0, jitter = 0 } = typeof job.opts.backoff === 'number' ? { delay: job.opts.backoff } : job.opts.backoff ?? {};
  const longest = type === 'fixed' ? delay : type === 'exponential' ? delay * 2 ** (job.attemptsMade - 1) : undefined;
  if (longest !== undefined) return longest * (1 - jitter * Math.random());
  if (typeof strategy !== 'function') throw new Fail(`backoff: the type ${type} is none of fixed and exponential, and the Worker has no settings.backoffStrategy`);
  return strategy(job.attemptsMade, type, error, job);
}

/// The error as dormouse is told: with its own class and stack, and when the next attempt is.
function told(job, error, strategy) {
  if (error instanceof DelayedError) return new Snooze({ in: Math.max((job.delayedTo ?? Date.now()) - Date.now(), 0) / 1000 });
  if (error instanceof Fail || error instanceof Retry || (job.run.cancelled && error?.name === 'AbortError')) return error;
  const pause = job.attemptsMade >= job.opts.attempts ? -1 : pauseAfter(job, error, strategy);
  const own = pause < 0 ? new Fail(String(error?.message ?? error)) : new Retry({ in: pause / 1000 }, String(error?.message ?? error));
  if (error instanceof Error) {
    own.name = error.name === 'Error' ? error.constructor.name : error.name;
    own.stack = error.stack;
  }
  if (pause < 0 && error instanceof Error) own.message = [own.message, ...String(error.stack).split('\n').filter((line) => /^ {4}at /.test(line)).slice(0, 12)].join('\n');
  return own;
}

const start = { concurrency: 0, planned: false, begun: false };

/// The processor of a queue's jobs, in a process that a pool has started. It serves when the file has been read; `autorun: false` waits for run().
/// Events: active, progress, completed, failed. They come before the database has taken the job's end.
class Worker extends EventEmitter {
  constructor(name, processor, { concurrency = 1, autorun = true, settings = {}, ...rest } = {}) {
    super();
    if (typeof processor !== 'function') throw new TypeError(`new Worker('${name}'): give a function (job) => result; a file of its own is a task of its own`);
    for (const option of Object.keys(rest)) if (Object.hasOwn(instead, option)) refuse(option);
    if (start.begun) throw new Error(`new Worker('${name}'): the process serves already; make all Workers before, or the first ones with { autorun: false }`);
    this.name = name;
    start.concurrency = Math.max(start.concurrency, concurrency);
    task(name, { payload }, (given, run) => this.#work(new JobAtWork(run, given), processor, settings.backoffStrategy));
    if (autorun) this.run();
  }

  run() {
    if (start.planned) return;
    start.planned = true;
    setImmediate(() => {
      start.begun = true;
      serve({ concurrency: start.concurrency });
    });
  }

  async #work(job, processor, strategy) {
    const update = job.updateProgress;
    job.updateProgress = async (progress) => {
      await update.call(job, progress);
      this.emit('progress', job, progress);
    };
    this.emit('active', job, 'waiting');
    try {
      const value = await processor(job, undefined, job.run.signal);
      job.returnvalue = value;
      job.attemptsMade += 1;
      this.emit('completed', job, value, 'active');
      return value;
    } catch (error) {
      if (!(error instanceof DelayedError)) {
        job.attemptsMade += 1;
        job.failedReason = String(error?.message ?? error);
        this.emit('failed', job, error, 'active');
      }
      throw told(job, error, strategy);
    }
  }

  async close() { /* the pool says when */ }
}

function payload(given) {
  const known = ['name', 'data', 'attempts', 'backoff'];
  if (typeof given !== 'object' || given === null || Array.isArray(given) || Object.keys(given).some((name) => !known.includes(name)))
    throw new BadPayload('payload: expected { name, data, attempts, backoff }, as queue.add() makes it');
  return given;
}

const absent = (name) => class { constructor() { refuse(name); } };
module.exports = { Queue, Worker, Job, UnrecoverableError, DelayedError, QueueEvents: absent('QueueEvents'), FlowProducer: absent('FlowProducer'), JobScheduler: absent('JobScheduler') };
