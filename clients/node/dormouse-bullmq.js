// Queues and workers that were written for BullMQ, on dormouse: require('…/dormouse-bullmq.js') in place of require('bullmq').
//
//   const { Queue, Worker } = require('/usr/share/dormouse/clients/node/dormouse-bullmq.js');
//   const queue = new Queue('mail', { connection: pool });                       // of pg, or whatever enqueue() takes
//   await queue.add('welcome', { to: 'you' }, { attempts: 3, backoff: { type: 'exponential', delay: 1000 } });
//   new Worker('mail', async (job) => send(job.data));                           // in the file that the pool starts
//
// A queue of BullMQ is a task here, and the payload is { name, data, attempts, backoff, opts }. docs/moving/from-bullmq.md says what is the same and
// what is not. What is not here throws an error that names what to do instead.
'use strict';

const { EventEmitter } = require('node:events');
const path = require('node:path');
const { fileURLToPath, pathToFileURL } = require('node:url');
const { task, serve, enqueue, result, wait, cancel, retry, onStart, Fail, Retry, Snooze, BadPayload } = require('./dormouse.js');
const { transaction } = require('./dormouse-ring.js');
const { shown, stackOf, unshown } = require('./dormouse-story.js');

/// Fails the job for good, whatever its attempts.
class UnrecoverableError extends Fail {}
/// Thrown after job.moveToDelayed(): retried later; does not count as an attempt.
class DelayedError extends Error {}
/// Thrown after worker.rateLimit(): the same.
class RateLimitError extends Error {}
for (const one of [UnrecoverableError, DelayedError, RateLimitError]) one.prototype.name = one.name;

const timer = 'a systemd timer enqueues it: docs/moving/from-cron.md';
const flows = 'docs/moving/flows.md';
const next = `enqueue the next one at the end of the processor: job.run.enqueue('mails', { name: 'welcome', data }); when all parts are done: ${flows}`;
const again = `(await queue.add(name, data, { jobId })).retry() starts a job again that has finished, with the data of the first: ${flows}`;
const counts = 'dormouse status; SELECT status, count(*) FROM dormouse.runs GROUP BY status';
const rows = 'dormouse runs; SELECT * FROM dormouse.runs WHERE task = …';
const bound = 'the key concurrency of the task\'s table bounds how many run at once';
const kept = 'the key finished of [retention] says how long what has ended is kept';
const units = 'systemctl stop and start dormouse@POOL.target';
const attempt = 'return or throw: that ends the attempt';
const instead = {};
for (const [names, what] of [
  ['repeat upsertJobScheduler addRepeatable getJobScheduler getJobSchedulers getRepeatableJobs removeJobScheduler removeRepeatable removeRepeatableByKey JobScheduler', timer],
  ['parent FlowProducer WaitingChildrenError moveToWaitingChildren getChildrenValues getDependencies getFailedChildrenValues getIgnoredChildrenFailures', next],
  ['getJobCounts getJobCountByTypes getCountsPerPriority count getWaitingCount getActiveCount getDelayedCount getCompletedCount getFailedCount getPrioritizedCount', counts],
  ['getJobs getWaiting getActive getDelayed getCompleted getFailed getPrioritized', rows], ['getJobLogs', 'dormouse logs ID; SELECT * FROM dormouse.logs WHERE run_id = …'],
  ['setGlobalConcurrency', bound], ['limiter setGlobalRateLimit', `${bound}; so many in a minute: ${flows}`], ['clean trimEvents', kept], ['drain obliterate', 'dormouse cancel --task'], ['retryJobs', 'dormouse retry --status failed --task'],
  ['promote promoteJobs changeDelay changePriority', 'an UPDATE of run_at or priority in dormouse.runs'], ['pause resume isPaused', units], ['getWorkers getWorkersCount', 'dormouse workers'],
  ['getMetrics exportPrometheusMetrics', 'docs/metrics.md'], ['moveToCompleted moveToFailed moveToWait WaitingError', attempt], ['clearLogs discard', 'throw new UnrecoverableError() for what is not to be tried again'],
  ['deduplication debounce', `jobId adds a job once, finished ones included; ${again}`], ['updateData', 'a job keeps its data: write where it is to a table of yours, by job.id, or enqueue the next step by job.run.enqueue()'],
  ['QueueEvents.on', 'await job.waitUntilFinished() where a job is waited for; events of a Worker come in its own process'],
]) for (const name of names.split(' ')) instead[name] = what;
function refuse(name) {
  throw new Error(`${name} of BullMQ is not in dormouse; instead: ${instead[name]}`);
}

/// What BullMQ's class has and ours has not is an error that says what to do.
function absentIn(given, names) {
  for (const name of names.split(' ')) given.prototype[name] ??= () => refuse(name);
}

const passedOver = ['removeOnComplete', 'removeOnFail', 'keepLogs', 'stackTraceLimit', 'sizeLimit', 'timestamp', 'prefix'];
/// When the database made an id: a UUID of version 7 says it.
const madeAt = (id) => parseInt(id.replaceAll('-', '').slice(0, 12), 16);
/// What a failure said, without the frames of its stack.
const reasonOf = (error) => String(error.message ?? '').replace(/(\n {4}at .*)+$/, '');
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
  const { removeOnComplete: removed } = options;
  if (jobId !== undefined && (removed === true || removed === 0 || removed?.count === 0 || removed?.age === 0))
    throw new TypeError(`jobId: ${jobId}: with BullMQ's removeOnComplete the id is free again when the job has completed; here it stays taken for 30 days. If once is meant, add it with `
      + `removeOnComplete: false; else ${again}`);
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 999) throw new RangeError(`attempts: ${attempts}; expected 1 to 999`);
  if (jobId !== undefined && uuid.test(jobId))
    throw new TypeError(`jobId: ${jobId}: the database makes the id of a job; save the id of what add() resolves to. To add once, give a name: 'order-17'`);
  // One attempt more is for a worker that was killed: what BullMQ calls stalled is done again, too.
  const opts = [delay, priority, jobId, lifo].some((one) => one !== undefined) ? { delay, priority, jobId, lifo } : undefined; // the worker may ask for them
  return { kept: { attempts, backoff, opts }, given: { delay: delay && delay / 1000, maxAttempts: attempts + 1, key: jobId, priority: lifo ? -1 : priority, ring } };
}

function checkId(method, id) {
  if (!uuid.test(id)) throw new TypeError(`${method}(${JSON.stringify(id)}): a job is found by the .id of what add() resolved to; add() with the same jobId resolves to that job`);
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

  /// By the id that add() resolved to. It has what a producer may see: how the job stands and what came of it.
  async getJob(id) {
    checkId('getJob', id);
    const found = await result(this.connection, id);
    return found === null ? undefined : new FoundJob(this, id, found);
  }
  async getJobState(id) { return (await this.getJob(id))?.getState() ?? 'unknown'; }
  async remove(id) { checkId('remove', id); return Number((await cancel(this.connection, id)).done); }
  async waitUntilReady() { return this; }
  async close() { /* the connection is yours */ }
}
absentIn(Queue, 'upsertJobScheduler addRepeatable getJobScheduler getJobSchedulers getRepeatableJobs removeJobScheduler removeRepeatable removeRepeatableByKey getJobCounts '
  + 'getJobCountByTypes getCountsPerPriority count getWaitingCount getActiveCount getDelayedCount getCompletedCount getFailedCount getPrioritizedCount getJobs getWaiting getActive '
  + 'getDelayed getCompleted getFailed getPrioritized getJobLogs setGlobalConcurrency setGlobalRateLimit clean trimEvents drain obliterate retryJobs promoteJobs pause resume isPaused '
  + 'getWorkers getWorkersCount getMetrics exportPrometheusMetrics');

/// What add() resolves to.
class Job {
  constructor(queue, id, name, data, opts = {}) {
    const { delay = 0, priority = 0 } = opts;
    Object.assign(this, { id, name, data, opts, queueName: queue.name, timestamp: madeAt(id), delay, priority, attemptsMade: 0, attemptsStarted: 0, progress: 0, returnvalue: null });
    Object.defineProperty(this, 'queue', { value: queue });
  }
  static fromId(queue, id) { return queue.getJob(id); }
  async getState() {
    const found = await result(this.queue.connection, this.id);
    return found === null ? 'unknown' : states[found.status];
  }
  async isCompleted() { return await this.getState() === 'completed'; }
  async isFailed() { return await this.getState() === 'failed'; }
  async isActive() { return await this.getState() === 'active'; }
  /// What the processor returned. The QueueEvents that BullMQ wants is not needed; ttl in milliseconds.
  async waitUntilFinished(events, ttl) {
    const done = await wait(this.queue.connection, this.id, { timeout: ttl === undefined ? undefined : ttl / 1000 });
    if (!done.completed) throw new Error(done.error ? reasonOf(done.error) : done.status);
    return done.result;
  }
  remove() { return cancel(this.queue.connection, this.id); }
  retry() { return retry(this.queue.connection, this.id); }
}

/// What getJob() resolves to.
class FoundJob extends Job {
  constructor(queue, id, { status, attempts, error, finishedAt, result: returnvalue }) {
    super(queue, id);
    Object.assign(this, { attemptsMade: status === 'running' ? attempts - 1 : attempts, attemptsStarted: attempts, returnvalue, failedReason: error ? reasonOf(error) : undefined, finishedOn: finishedAt?.getTime() });
    for (const what of ['name', 'data', 'opts', 'progress', 'delay', 'priority']) {
      const get = () => { throw new Error(`${what} of a job that getJob() found: an application asks for results and not for what was added; keep it beside job.id, or read dormouse.runs (role dormouse_reader)`); };
      Object.defineProperty(this, what, { get, enumerable: false });
    }
  }
}

/// What a processor is given. `run` is dormouse's own.
class JobAtWork {
  #rows = 0;

  constructor(run, { name = run.task, data = {}, attempts = run.maxAttempts, backoff, opts = {} }) {
    const { delay = 0, priority = 0 } = opts;
    Object.assign(this, { id: run.id, name, data, queueName: run.task, opts: { attempts, backoff: typeof backoff === 'number' ? { type: 'fixed', delay: backoff } : backoff, ...opts }, delay, priority,
      timestamp: madeAt(run.id), processedOn: Date.now(), attemptsMade: run.attempt - 1, attemptsStarted: run.attempt, progress: 0, stacktrace: [] });
    Object.defineProperty(this, 'run', { value: run });
  }
  /// 0 to 100, or an object, which is shown as text.
  async updateProgress(progress) {
    this.progress = progress;
    if (typeof progress === 'number') this.run.progress(progress / 100);
    else this.run.progress(typeof progress === 'string' ? progress : JSON.stringify(progress));
  }
  /// How many rows it has said now.
  async log(row) {
    this.run.log(row);
    return (this.#rows += 1);
  }
  async moveToDelayed(timestamp) { this.delayedTo = timestamp; }
  async extendLock() { return 1; /* the worker does */ }
  toJSON() { return { ...this }; }
}
for (const given of [Job, JobAtWork])
  absentIn(given, 'updateData promote changeDelay changePriority clearLogs discard moveToCompleted moveToFailed moveToWait moveToWaitingChildren getChildrenValues getDependencies getFailedChildrenValues '
    + 'getIgnoredChildrenFailures');

function onlyOf(others, methods, which) {
  for (const name of methods.split(' ')) others.prototype[name] ??= () => { throw new TypeError(`job.${name}(): only ${which}`); };
}
onlyOf(Job, 'updateProgress log moveToDelayed extendLock', 'within a processor, of the job that it is given');
onlyOf(JobAtWork, 'getState isCompleted isFailed isActive waitUntilFinished remove retry', 'of a job that add() or getJob() resolved to; within a processor, return or throw ends it');

/// How long until the next attempt, in milliseconds; below 0: there is none. undefined: as long as the task's backoff says, where the job does not say it.
async function pauseAfter(job, error, strategy) {
  const { type = 'fixed', delay = 0, jitter = 0 } = typeof job.opts.backoff === 'number' ? { delay: job.opts.backoff } : job.opts.backoff ?? {};
  const longest = type === 'fixed' ? delay : type === 'exponential' ? delay * 2 ** (job.attemptsMade - 1) : undefined;
  try {
    if (longest === undefined && typeof strategy !== 'function')
      throw new TypeError(`the type ${type} is none of fixed and exponential, and the Worker has no settings.backoffStrategy`);
    const pause = longest === undefined ? await strategy(job.attemptsMade, type, error, job) : longest * (1 - jitter * Math.random());
    if (typeof pause !== 'number' || Number.isNaN(pause)) throw new TypeError(`${shown(pause)} is no number of milliseconds`);
    return pause;
  } catch (wrong) { // the run's error is the job's own, and not this one
    job.run.log(`backoff: ${textOf(wrong)}; the next attempt is when the task's table says`, 'warning');
    return undefined;
  }
}

const textOf = (error) => { try { return String(error?.message ?? error); } catch { return unshown; } };

/// The error as dormouse is told: with its own class and stack, and when the next attempt is.
async function told(job, error, strategy, limited) {
  if (error instanceof RateLimitError) return new Snooze({ in: limited / 1000 }, error.message);
  if (error instanceof DelayedError) return new Snooze({ in: Math.max((job.delayedTo ?? Date.now()) - Date.now(), 0) / 1000 });
  if (error instanceof Fail || error instanceof Retry || (job.run.cancelled && error?.name === 'AbortError')) return error;
  const pause = job.attemptsMade >= job.opts.attempts ? -1 : await pauseAfter(job, error, strategy);
  const own = pause < 0 ? new Fail(textOf(error)) : new Retry({ in: pause === undefined ? undefined : pause / 1000 }, textOf(error));
  Object.defineProperty(own, 'constructor', { value: error instanceof Error ? error.constructor : Error }); // the class that is told, if it has no name
  if (error instanceof Error) [own.name, own.stack] = [error.name, stackOf(error)];
  if (pause < 0 && error instanceof Error) own.message = [own.message, ...String(own.stack).split('\n').filter((line) => /^ {4}at /.test(line)).slice(0, 12)].join('\n');
  return own;
}

/// A processor in a file of its own: it is loaded when the process starts. BullMQ has a process for it; here the worker's file has one already.
function ofFile(file) {
  const found = require.resolve(path.resolve(file instanceof URL ? fileURLToPath(file) : file));
  let handle;
  onStart(async () => {
    const loaded = await import(pathToFileURL(found));
    handle = [loaded.default?.default, loaded.default].find((one) => typeof one === 'function');
    if (handle === undefined) throw new TypeError(`${found}: its default export is no function (job) => result`);
  });
  return (...given) => handle(...given);
}

const notNow = (error) => error instanceof DelayedError || error instanceof RateLimitError;
const start = { concurrency: 0, planned: false, begun: false };

/// The processor of a queue's jobs, in a process that a pool has started. It serves when the file has been read; `autorun: false` waits for run().
/// Events: active, progress, completed, failed. They come before the database has taken the job's end.
class Worker extends EventEmitter {
  #limited = 1000; // ms

  constructor(name, processor, { concurrency = 1, autorun = true, settings = {}, ...rest } = {}) {
    super();
    if (typeof processor === 'string' || processor instanceof URL) processor = ofFile(processor);
    if (typeof processor !== 'function') throw new TypeError(`new Worker('${name}'): give a function (job) => result, or the path of a file that exports one`);
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

  /// For an answer like 429: `await worker.rateLimit(1000); throw Worker.RateLimitError()`. That job waits; others are tried.
  async rateLimit(milliseconds) { this.#limited = milliseconds; }
  static RateLimitError() { return new RateLimitError('rate limited'); }

  /// As in BullMQ: a listener that throws is no failure of the job.
  emit(event, ...given) {
    try {
      return super.emit(event, ...given);
    } catch (error) {
      if (event !== 'error' && this.listenerCount('error') > 0) return this.emit('error', error);
      console.error(error);
      return false;
    }
  }

  async #work(job, processor, strategy) {
    const update = job.updateProgress;
    job.updateProgress = async (progress) => {
      await update.call(job, progress);
      this.emit('progress', job, progress);
    };
    const { run } = job;
    const made = job.attemptsMade;
    let hasFailed = false;
    const fail = (error, isLast) => {
      if (hasFailed) return;
      hasFailed = true;
      job.attemptsMade = made + 1;
      if (isLast) job.finishedOn = Date.now();
      this.emit('failed', job, error, 'active');
    };
    // At once: the processor may not return before its process is killed.
    const onAbort = () => {
      if (!['timeout', 'canceled'].includes(run.cancelReason)) return; // else it is executed again, which counts as no attempt
      job.failedReason = run.signal.reason.message;
      fail(run.signal.reason, run.cancelReason === 'canceled');
    };
    run.signal.addEventListener('abort', onAbort);
    this.emit('active', job, 'waiting');
    if (run.cancelled) onAbort();
    try {
      const value = await processor(job, undefined, run.signal);
      if (run.cancelReason === 'timeout') return value; // which counts no more
      job.returnvalue = value;
      job.attemptsMade = made + 1;
      job.finishedOn = Date.now();
      this.emit('completed', job, value, 'active');
      return value;
    } catch (error) {
      if (notNow(error)) throw await told(job, error, strategy, this.#limited);
      if (run.cancelled) throw error;
      job.failedReason = textOf(error);
      if (error instanceof Error) job.stacktrace.push(stackOf(error));
      job.attemptsMade = made + 1;
      const end = await told(job, error, strategy);
      fail(error, end instanceof Fail);
      throw end;
    } finally {
      run.signal.removeEventListener('abort', onAbort);
    }
  }

  async waitUntilReady() { /* it is */ }
  isRunning() { return start.begun; }
  async close() { /* the pool says when */ }
}
absentIn(Worker, 'pause resume isPaused');

/// What waitUntilFinished() is given, which needs none. It hears nothing.
class QueueEvents {
  constructor(name) { this.name = name; }
  on(event) { return event === 'error' ? this : refuse('QueueEvents.on'); }
  async waitUntilReady() { return this; }
  async close() { /* it has nothing */ }
}
for (const name of ['once', 'addListener', 'prependListener']) QueueEvents.prototype[name] = QueueEvents.prototype.on;
for (const name of ['off', 'removeListener', 'removeAllListeners']) QueueEvents.prototype[name] = function off() { return this; };

/// { run_id, task, queue, attempts, error }, which `on_failure` of a table enqueues, is the data of a job.
const isOfTable = (given) => typeof given.run_id === 'string' && typeof given.task === 'string' && Object.hasOwn(given, 'error');

function payload(given) {
  if (given === null) return {}; // run.enqueue('mails')
  const known = ['name', 'data', 'attempts', 'backoff', 'opts'];
  if (typeof given === 'object' && !Array.isArray(given) && isOfTable(given)) return { data: given };
  if (typeof given !== 'object' || Array.isArray(given) || Object.keys(given).some((name) => !known.includes(name)))
    throw new BadPayload('payload: expected { name, data, attempts, backoff, opts }, as queue.add() makes it');
  return given;
}

const absent = (name) => class { constructor() { refuse(name); } };
const [FlowProducer, JobScheduler, WaitingChildrenError, WaitingError] = ['FlowProducer', 'JobScheduler', 'WaitingChildrenError', 'WaitingError'].map(absent);
// By name alone, for `import { … }`.
module.exports = { Queue, Worker, Job, QueueEvents, UnrecoverableError, DelayedError, RateLimitError, FlowProducer, JobScheduler, WaitingChildrenError, WaitingError };
