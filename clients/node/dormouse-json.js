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

/// What JSON.stringify leaves out or makes null in silence. A member that is undefined is left out, as everywhere.
function strict(key, value) {
  if (typeof value === 'function' || typeof value === 'symbol' || (typeof value === 'number' && !Number.isFinite(value)) || isNoDate(this[key])
    || value instanceof Promise)
    throw new TypeError(typeof value === 'number' ? `${value} is no number of JSON` : `a ${typeof value}`);
  return plain.call(this, key, value);
}
const isNoDate = (value) => value instanceof Date && Number.isNaN(value.getTime());

/// The first thing in `value` that is no JSON: where it is, and what.
function fault(value, path, above = []) {
  if (typeof value === 'string') {
    const half = hasHalf(JSON.stringify(value)) && halfPair.exec(JSON.stringify(value));
    return half ? `${path}: half a surrogate pair, which is not valid text: ${half[0]}` : undefined;
  }
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path}: ${value} is no number of JSON`;
  if (typeof value === 'function' || typeof value === 'symbol') return `${path}: a ${typeof value}`;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || above.length > 100) return undefined;
  if (above.includes(value)) return `${path}: it contains itself`;
  if (value instanceof Promise) return `${path}: a promise; await it`;
  if (isNoDate(value)) return `${path}: an invalid date`;
  let parts = value;
  if (typeof value.toJSON === 'function') {
    try {
      parts = value.toJSON();
    } catch (error) {
      return `${path}: ${error.message}`;
    }
    return parts === value ? undefined : fault(parts, path, [...above, value]);
  }
  if (value instanceof Set) parts = [...value];
  for (const [name, one] of value instanceof Map ? value : Object.entries(parts)) {
    if (hasHalf(JSON.stringify(String(name)))) return `${path}: the name ${JSON.stringify(name)} has half a surrogate pair, which is not valid text`;
    const found = fault(one, Array.isArray(parts) ? `${path}[${name}]` : `${path}.${String(name)}`, [...above, value]);
    if (found) return found;
  }
  return undefined;
}

function toJson(value, what = 'the result', Unfit = BadResult) {
  const refuse = (why) => {
    const found = fault(value, what === 'the result' ? 'result' : '');
    throw new Unfit(`${what} cannot be written as JSON: ${found ? found.replace(/^\.|^: /, '') : why}`);
  };
  let text;
  try {
    text = typeof value === 'string' ? JSON.stringify(value) : JSON.stringify(value, strict);
  } catch (error) {
    refuse(error.message);
  }
  if (text !== undefined && hasHalf(text)) refuse(`it has half a surrogate pair, which is not valid text: ${halfPair.exec(text)[0]}`);
  return text;
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
  const text = toJson(value, what, BadPayload);
  if (text === undefined) throw new BadPayload(`${what} cannot be written as JSON: it is ${value}`);
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

module.exports = { nextJson, BadPayload, BadResult, Fail, ResultTooLarge, encode, hasHalf, mostBytes, payloadJson, plain, toJson };
