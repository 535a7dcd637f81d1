// Values as JSON that Postgres takes, and the errors of those that are none.
'use strict';

/// The run fails at once; with { permanent: false } it is tried again while attempts are left, as after any other exception.
class Fail extends Error {
  constructor(message = '', { permanent = true, ...options } = {}) {
    super(message, options);
    this.permanent = permanent;
  }
}
/// The payload is not what the task's schema asks for. Permanent; the message has the path of the fault.
class BadPayload extends Fail {}
/// The result cannot be written as JSON. Permanent.
class BadResult extends Fail {}
/// The result, or what is enqueued with it, is over limits.result_bytes. Permanent.
class ResultTooLarge extends Fail {
  constructor(what, most) {
    super(`${what} larger than ${most} bytes (limits.result_bytes)`);
    this.name = 'result_too_large';
  }
}

/// Half a surrogate pair is no text. JSON.stringify writes it as an escape, and nothing else that begins with \ud.
const halfPair = /(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/;
const hasHalf = (text) => text.includes('\\ud') && halfPair.test(text);

function encode(message) {
  const text = JSON.stringify(message);
  return `${hasHalf(text) ? text.replace(/((?<!\\)(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, '$1\ufffd') : text}\n`;
}

/// What JSON.stringify loses or refuses: a Map becomes an object, a Set an array, a BigInt text, bytes base64.
function plain(key, value) {
  const given = this[key];
  if (given instanceof Map) return Object.fromEntries(given);
  if (given instanceof Set) return [...given];
  if (typeof given === 'bigint') return String(given);
  if (given instanceof Uint8Array) return Buffer.from(given).toString('base64');
  return value;
}

function toJson(value, what = 'the result') {
  let text;
  try {
    text = typeof value === 'object' && value !== null ? JSON.stringify(value, plain) : JSON.stringify(value);
  } catch (error) {
    throw new BadResult(`${what} cannot be written as JSON: ${error.message}`);
  }
  if (text === undefined && value !== undefined) throw new BadResult(`${what} cannot be written as JSON: it is a ${typeof value}`);
  if (text !== undefined && hasHalf(text)) throw new BadResult(`${what} has half a surrogate pair, which is not valid text: ${halfPair.exec(text)[0]}`);
  return text;
}

/// What JSON.stringify leaves out or makes null in silence.
function strict(key, value) {
  if (typeof value === 'function' || typeof value === 'symbol' || (typeof value === 'number' && !Number.isFinite(value)))
    throw new TypeError(`${key ? `${key} is` : 'it is'} ${typeof value === 'number' ? value : `a ${typeof value}`}`);
  return plain.call(this, key, value);
}

const mostBytes = 16 * 1024 * 1024; // of a payload

/// A payload's JSON. What Postgres would refuse, or what is surely a mistake, is a BadPayload that says where it is.
function payloadJson(value, what) {
  if (typeof value === 'string' && /^\s*[{[]/.test(value)) {
    let twice = true;
    try { JSON.parse(value); } catch { twice = false; }
    if (twice)
      throw new BadPayload(`${what} is text that is JSON already, and would be encoded twice; give the object itself (JSON.parse(…)), or, if the `
        + 'handler wants text, an object with it');
  }
  let text;
  try {
    text = JSON.stringify(value, strict);
  } catch (error) {
    throw new BadPayload(`${what} cannot be written as JSON: ${error.message}`);
  }
  if (text === undefined) throw new BadPayload(`${what} cannot be written as JSON: it is ${value}`);
  if (hasHalf(text)) throw new BadPayload(`${what} has half a surrogate pair, which is not valid text: ${halfPair.exec(text)[0]}`);
  const size = Buffer.byteLength(text);
  if (size > mostBytes)
    throw new BadPayload(`${what} has ${size} bytes as JSON, expected at most ${mostBytes}; store it elsewhere, and enqueue where it is`);
  const where = text.includes('\\u0000') && nulIn(JSON.parse(text), what);
  if (where) throw new BadPayload(`${where} has a NUL character, which Postgres cannot store; leave it out, or encode it as base64`);
  return text;
}

function nulIn(root, what) {
  const waiting = [[root, what]];
  while (waiting.length > 0) {
    const [value, path] = waiting.pop();
    if (typeof value === 'string' && value.includes('\0')) return path;
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, one] of Object.entries(value)) {
      if (name.includes('\0')) return `${path}: the name ${JSON.stringify(name)}`;
      waiting.push([one, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`]);
    }
  }
  return undefined;
}

const membersOfNext = ['queue', 'priority', 'run_at', 'delay', 'key', 'max_attempts', 'timeout', 'traceparent', 'watched'];
const named = { runAt: 'run_at', maxAttempts: 'max_attempts' };

/// A run that is enqueued with a completion, as JSON: a name that is none is told where it is written, and not when the work is done.
function nextJson(task, payload, members) {
  const given = Object.entries(members).map(([name, value]) => [named[name] ?? name, value ?? undefined]);
  const wrong = given.find(([name]) => !membersOfNext.includes(name));
  if (wrong) throw new TypeError(`run.enqueue('${task}'): there is no ${wrong[0]}; there are ${membersOfNext.join(', ')}`);
  return toJson({ task, payload, ...Object.fromEntries(given) }, `what is enqueued for ${task}`);
}

module.exports = { nextJson, BadPayload, BadResult, Fail, ResultTooLarge, encode, hasHalf, mostBytes, payloadJson, toJson };
