// Background runs in Postgres, from Node: enqueue them in your own transaction (dormouse-enqueue.js), and write their handlers, which stay
// warm while there is work. Node 18 or later, no dependencies.
//
//   const { task, serve } = require('/usr/share/dormouse/clients/node/dormouse.js');   // or: import { task, serve } from '…'
//
//   task('thumbnail', async (payload, run) => ({ bytes: await makeThumbnail(payload.file) }));
//   serve();
//
// The pool's command is ["/usr/bin/node", "/srv/app/tasks.js"]. `node tasks.js --run thumbnail '{"file":"a.png"}'` runs it once,
// here and now.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const { isMainThread } = require('node:worker_threads');
const children = require('./dormouse-children.js');
const { isError, messageOf, mostText, nameOf, shown, story, tale, unshown } = require('./dormouse-story.js');
const { BadPayload, BadResult, Fail, ResultTooLarge, encode, nextJson, toJson } = require('./dormouse-json.js');

const version = '0.1.0';
const mostResult = Number(process.env.DORMOUSE_RESULT_BYTES) || Infinity; // infinite: no worker has started us
const moreInAMessage = 65536; // than that; for one that is longer the worker kills the process
const year = 365 * 24 * 3600;
const levels = ['debug', 'info', 'warning', 'error'];
const tasks = new Map();

/// Fails the attempt, and tries again in this many seconds (by default according to the task's backoff) while attempts are left. If none is,
/// the run's error is its `cause`.
class Retry extends Error {
  constructor(options = {}, message = '') {
    super(message, Object.hasOwn(options, 'cause') ? { cause: options.cause } : undefined);
    this.in = options.in === undefined ? undefined : seconds('in', options.in);
  }
}

/// Retries later, in this many seconds (by default the task's backoff.base), without using an attempt (unless the task sets snooze_counts).
class Snooze extends Retry {}

/// Registers a function (payload, run) => result, plain or async, as the handler of the task `name`. options.payload: what payloads
/// go through first, a function or a schema with parse() (zod); what it throws is a BadPayload. options.retryOn: retry only
/// after errors of these classes; options.noRetryOn: do not retry after these. Retry and Fail override both.
function task(name, options, handle) {
  if (typeof options === 'function') [options, handle] = [{}, options];
  if (typeof handle !== 'function') throw new TypeError(`task ${name}: its handler is not a function`);
  if (tasks.has(name)) throw new Error(`two functions for the task ${name}`);
  for (const what of Object.keys(options))
    if (!['payload', 'retryOn', 'noRetryOn'].includes(what))
      throw new TypeError(`task ${name}: there is no option ${what}; there are payload, retryOn, noRetryOn. The rest is in the task's table of the pool's file (man dormouse.toml)`);
  const schema = options.payload;
  for (const what of ['retryOn', 'noRetryOn'])
    if (options[what] !== undefined && !(Array.isArray(options[what]) && options[what].every((one) => typeof one === 'function')))
      throw new TypeError(`task ${name}: ${what} is an array of classes of errors`);
  const { retryOn, noRetryOn = [] } = options;
  tasks.set(name, { retryOn, noRetryOn, handle, parse: typeof schema?.parse === 'function' ? (payload) => schema.parse(payload) : schema });
}

/// Whether a run that failed with it has failed for good.
function givesUp(name, error) {
  const known = tasks.get(name);
  if (!known || error instanceof Fail || error instanceof Retry) return false;
  const isOf = (classes) => classes.some((one) => error instanceof one);
  return isOf(known.noRetryOn) || (known.retryOn !== undefined && !isOf(known.retryOn));
}

const hooks = { start: [], stop: [] };

/// Registers a function, plain or async, to call before the process takes its first run, for example to open a connection pool. If it
/// throws, the process exits, and its runs wait without using an attempt. It has the task's start_timeout.
const onStart = (hook) => { hooks.start.push(hook); };
/// Registers a function to call when the pool stops the process and its runs are finished, the last one first. Five seconds after the
/// pool's request the process is killed. Not called in a process that is killed or dies.
const onStop = (hook) => { hooks.stop.unshift(hook); };

async function started() {
  for (const hook of hooks.start) await hook();
}

async function stopped() {
  for (const hook of hooks.stop) try { await hook(); } catch (error) { console.error(error); }
}

/// The run a function is executed for.
class Run {
  #message;
  #link;
  #controller;

  constructor(message, link) {
    this.#message = message;
    this.#link = link;
    this.id = message.id;
    this.task = message.task;
    this.payload = message.payload;
    this.children = []; // what it has started by child_process
    this.below = []; // and what was below that when it was told to end
    this.cancelReason = undefined; // 'canceled', 'leaving', 'lease_lost', 'timeout'
    this.enqueued = undefined;
  }

  get queue() { return this.#message.queue; }
  get attempt() { return this.#message.attempt; } // 1 is the first
  get maxAttempts() { return this.#message.max_attempts; }
  get fence() { return this.#message.fence; } // N:UUID; show it with your own writes elsewhere
  get deadline() { return this.#message.deadline; } // seconds since 1970; undefined without a timeout
  get traceparent() { return this.#message.traceparent; } // W3C; undefined if the producer gave none

  /// Aborted when the function should stop: pass it to fetch() and the like.
  get signal() {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.cancelReason) this.cancel(this.cancelReason);
    }
    return this.#controller.signal;
  }
  get cancelled() { return this.cancelReason !== undefined; }

  /// Reports progress, from 0 to 1, with a text: progress(0.5, 'half'), progress('begins'). The latest counts.
  progress(fraction, text) {
    if (typeof fraction === 'string') [fraction, text] = [undefined, fraction];
    if (fraction !== undefined && !(typeof fraction === 'number' && !Number.isNaN(fraction))) throw new TypeError(`a progress of ${fraction}`);
    const bounded = fraction === undefined ? undefined : Math.min(Math.max(fraction, 0), 1);
    this.#link.say({ type: 'progress', id: this.id, fraction: bounded, text: text === undefined ? undefined : shown(text) });
  }

  /// Adds a line to the run's log, or several if the text has line breaks. level: debug, info, warning, error.
  log(text, level = 'info') {
    if (!levels.includes(level)) throw new RangeError(`the level ${level} of a log line; there are ${levels.join(', ')}`);
    for (const line of shown(text).split(/\r\n|\r|\n/)) this.#link.say({ type: 'log', id: this.id, level, text: line.slice(0, mostText) });
  }

  /// Sets a shorter deadline: the run times out unless the next heartbeat comes within this many seconds. 0 removes it.
  heartbeat(within) {
    this.#link.say({ type: 'heartbeat', id: this.id, within: seconds('within', within) });
  }

  /// Enqueues another run in the transaction that completes this one; if this one does not complete, nothing is enqueued. members are
  /// those of enqueue(): queue, priority, key, delay, runAt, maxAttempts, …; or the names in SQL, run_at, max_attempts.
  enqueue(task, payload = null, members = {}) {
    (this.enqueued ??= []).push(nextJson(task, payload, members));
  }

  cancel(reason) {
    children.look(this);
    this.cancelReason = reason;
    this.#controller?.abort(Object.assign(new Error(`cancelled: ${reason}`), { name: 'AbortError' }));
  }
}

function seconds(name, value) {
  if (!(Number(value) >= 0)) throw new RangeError(`${name}: ${value}; it is a number of seconds, 0 or more`);
  return Math.min(Number(value), year);
}

/// What an attempt that does not complete has asked for is not enqueued; the run's log says so.
function drop(run) {
  const count = run.enqueued?.length ?? 0;
  if (count > 0) run.log(`${count} follow-up run${count === 1 ? ' is' : 's are'} dropped: the attempt did not complete`, 'warning');
  run.enqueued = undefined;
}

function completed(run, result) {
  const text = toJson(result);
  if (run.cancelReason === 'timeout') drop(run); // no answer counts any more
  let line = `{"type":"completed","id":"${run.id}"`;
  if (text !== undefined && text !== 'null') line += `,"result":${fitting('the result is', text)}`;
  if (run.enqueued) line += `,"enqueue":${fitting('what it enqueues is', `[${run.enqueued.join(',')}]`)}`;
  return fitting('the result and what it enqueues are together', `${line}}\n`, mostResult + moreInAMessage);
}

function fitting(what, text, most = mostResult) {
  if (text.length * 3 > most && Buffer.byteLength(text) > most) throw new ResultTooLarge(what, mostResult); // 3: a UTF-16 unit as UTF-8
  return text;
}

/// The answer for an error. Whatever the error does when it is asked, there is one: what is thrown here would end the process, with its other runs.
function failed(run, error) {
  drop(run);
  try {
    return ofError(run, run.attempt >= run.maxAttempts ? originOf(error) : error);
  } catch {
    return encode({ type: 'failed', id: run.id, class: 'Error', message: unshown });
  }
}

/// What a Retry came from.
const originOf = (error) => (error instanceof Retry && !(error instanceof Snooze || error.cause instanceof Snooze) && error.cause !== undefined ? originOf(error.cause) : error);

function ofError(run, error) {
  const { id } = run;
  if (error instanceof Snooze) return encode({ type: 'retry', id, in: error.in, message: messageOf(error).slice(0, mostText) });
  if (run.cancelled && error?.name === 'AbortError')
    return encode({ type: 'failed', id, class: 'Cancelled', message: `cancelled: ${run.cancelReason}` });
  const permanent = (error instanceof Fail ? error.permanent === true : givesUp(run.task, error)) || undefined;
  if (!isError(error)) return encode({ type: 'failed', id, class: 'Error', message: shown(error), permanent });
  const message = (error instanceof Fail ? messageOf(error) : tale(error)).slice(0, mostText);
  return encode({ type: 'failed', id, class: nameOf(error), message, in: error instanceof Retry ? error.in : undefined,
    permanent });
}

/// A schema's error with the paths it names (zod's issues), or its message.
function fault(error) {
  if (!Array.isArray(error?.issues)) return `payload: ${shown(error?.message ?? error)}`;
  const at = (path = []) => path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part?.key ?? part)}`)).join('');
  return error.issues.map((issue) => `payload${at(issue.path)}: ${issue.message}`).join('; ');
}

// --- the conversation with the worker -------------------------------------------------------------------------------------------

/// Executes a run, and gives the answer to `answer`: at once if the function is not async, else when it has ended.
function execute(run, answer) {
  try {
    const known = tasks.get(run.task);
    if (!known) throw new Fail(`this process has no task ${run.task}; it has ${[...tasks.keys()].join(', ')}`, { permanent: false });
    let { payload } = run;
    if (known.parse) {
      try {
        payload = known.parse(payload);
      } catch (error) {
        throw new BadPayload(fault(error));
      }
    }
    const result = known.handle(payload, run);
    if (typeof result?.then !== 'function') return answer(completed(run, result));
    result.then((value) => completed(run, value)).then(answer, (error) => answer(failed(run, error)));
  } catch (error) {
    answer(failed(run, error));
  }
}

function whenPrinted(then) { // what is printed after its run is answered is in no log; a pipe takes 64 KiB, the rest waits in here
  const waiting = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0);
  waiting.length === 0 ? then() : Promise.all(waiting.map((stream) => new Promise((done) => stream.write('', done)))).then(then);
}

class Link {
  #socket;
  #out = '';
  #rest = [];
  #runs = new Map();
  #ended = false;
  #left = false;

  constructor(descriptor, hello) {
    this.#socket = new net.Socket({ fd: descriptor, readable: true, writable: true, allowHalfOpen: true });
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (piece) => this.#read(piece));
    this.#socket.on('end', () => this.#end());
    this.#socket.on('error', () => this.#end()); // the worker is gone
    this.say(hello);
  }

  /// At once: a function that computes may not return to the loop for long.
  say(message) {
    this.#write(encode(message));
    this.#flush();
  }

  /// What is ready in one turn of the loop is one write.
  #write(line) {
    if (this.#out === '') setImmediate(() => this.#flush());
    this.#out += line;
  }
  #flush() {
    const out = this.#out;
    this.#out = '';
    if (this.#socket.writable && out) this.#socket.write(out);
    if (this.#ended && this.#runs.size === 0 && this.#out === '') this.#leave();
  }
  async #leave() {
    if (this.#left) return;
    this.#left = true;
    await stopped();
    this.#socket.end(() => process.exit(0));
    this.#socket.once('close', () => process.exit(0));
    if (this.#socket.destroyed) process.exit(0);
  }
  #end() {
    if (this.#ended) return;
    this.#ended = true;
    setImmediate(() => this.#flush());
  }

  #read(piece) {
    const end = piece.lastIndexOf('\n') + 1;
    if (end === 0) return this.#rest.push(piece);
    const text = this.#rest.join('') + piece.slice(0, end);
    this.#rest = end < piece.length ? [piece.slice(end)] : [];
    for (const line of text.split('\n')) if (line) this.#take(line);
  }

  #take(line) {
    let message;
    try {
      message = JSON.parse(line);
      if (typeof message?.type !== 'string') throw new SyntaxError('no object with a "type"');
    } catch (error) {
      console.error(`dormouse: the worker sent an invalid message of protocol 1 (${error.message}): ${line.slice(0, 200)}; `
        + 'install a dormouse and a client of the same version');
      process.exit(1);
    }
    if (message.type === 'run') {
      const run = new Run(message, this);
      this.#runs.set(run.id, run);
      const end = (answer) => whenPrinted(() => {
        this.#runs.delete(run.id); // before the answer: the next attempt may come right behind it
        this.#write(run.cancelled ? children.sparing(answer, this.#runs.values()) : answer);
      });
      children.current.run(run, execute, run, (answer) => (run.cancelled ? children.end(run, () => end(answer)) : end(answer)));
    } else if (message.type === 'cancel') {
      this.#runs.get(message.id)?.cancel(message.reason ?? 'canceled');
    }
  }
}

/// Executes runs of the registered tasks, at most `concurrency` at once, until the worker closes the socket; then
/// finishes runs in progress and ends the process.
function serve({ concurrency = 10, ...others } = {}) {
  for (const what of Object.keys(others)) throw new TypeError(`serve(): there is no option ${what}; there is concurrency`);
  const descriptor = process.env.DORMOUSE_CONTROL_FD;
  delete process.env.DORMOUSE_CONTROL_FD; // what is started from here is not spoken to
  const refuse = (why) => { console.error(`dormouse: ${why}`); process.exit(1); };
  const byPerson = process.argv[2] === '--run';
  const server = process.env.DORMOUSE_SERVED_BY ?? (process.send === undefined ? undefined : process.ppid);
  if (!isMainThread) throw new Error('dormouse: serve() is called in a worker thread: the main thread alone is spoken to; call it there');
  if (server !== undefined && !byPerson)
    refuse(`process ${server} has started this one (${process.pid}), by child_process or cluster, and is the one that the worker speaks to: call `
      + "serve() there alone; for more processes: processes in the task's table, or serve({ concurrency: N })");
  if (descriptor !== undefined) process.env.DORMOUSE_SERVED_BY = String(process.pid);
  if (tasks.size === 0) refuse('no task is registered: call task(name, function) before serve()');
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 10_000)
    refuse(`concurrency: ${concurrency}; it is a number from 1 to 10,000`);
  if (descriptor === undefined || byPerson) return byHand(process.argv.slice(1));
  const names = [...tasks.keys()].sort();
  const begin = () => {
    children.watch();
    try {
      new Link(Number(descriptor), { type: 'hello', protocol: 1, tasks: names, concurrency, client: `node ${version}` });
    } catch (error) {
      refuse(`DORMOUSE_CONTROL_FD=${descriptor} is not a socket: ${error.message}`);
    }
  };
  if (hooks.start.length === 0) return begin();
  started().then(begin, (error) => refuse(`onStart: ${story(error)}`));
}

/// The exit code is as a handler of the kind exec has it: 0, 75 for "retry later", 1 for failed; 2 if it was called wrongly.
function byHand([program, run, name, payload = 'null', ...more]) {
  const leave = (code, text) => { console.error(text); process.exitCode = code; };
  const names = [...tasks.keys()].join(', ');
  if (run !== '--run' || name === undefined || more.length > 0)
    return leave(2, `${program}: this is a warm handler of dormouse: a pool starts it and gives it runs of ${names}.\n`
      + `To try one: dormouse try TASK --payload JSON, or without a pool: node ${program} --run TASK [JSON, - for stdin]`);
  if (!tasks.has(name)) return leave(2, `${program}: there is no task ${name}; there are ${names}`);
  let value;
  try {
    value = JSON.parse(payload === '-' ? fs.readFileSync(0, 'utf8') : payload);
  } catch (error) {
    return leave(2, `${program}: the payload is not JSON: ${error.message}`);
  }
  const say = ({ type, id, level = type, ...said }) => console.error(`${level}: ${type === 'log' ? said.text : JSON.stringify(said)}`);
  const tell = (answer) => {
    void stopped();
    const { type, result = null, enqueue = [], class: kind, message } = JSON.parse(answer);
    if (type !== 'completed') return leave(type === 'retry' ? 75 : 1, [kind, message].filter(Boolean).join(': '));
    console.log(JSON.stringify(result));
    for (const one of enqueue) console.error(`enqueue: ${JSON.stringify(one)}`);
  };
  started().then(() => execute(new Run({ id: '00000000-0000-0000-0000-000000000000', task: name, queue: '', attempt: 1, max_attempts: 1, payload: value }, { say }), tell),
    (error) => leave(1, `onStart: ${story(error)}`));
}

module.exports = { task, serve, onStart, onStop, Fail, Retry, Snooze, BadPayload, BadResult, ...require('./dormouse-enqueue.js') };
