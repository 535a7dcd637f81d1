// What is told of an error, and of values as text.
'use strict';

const path = require('node:path');
const { isNativeError } = require('node:util/types');
const { plain } = require('./dormouse-json.js');

const mostText = 16384; // the worker cuts texts at 8 KiB, and says so: more need not be sent
const client = path.join(__dirname, 'dormouse');

const unshown = '(its message cannot be shown)';
/// Its message, which may be a getter that throws.
const messageOf = (error) => { try { return shown(error.message); } catch { return unshown; } };
/// Node asks for the message when the stack is looked at.
const stackOf = (error) => { try { return String(error.stack ?? ''); } catch { return ''; } };
/// An error with its class, which its stack does not have where the class sets no name.
const nameOf = (error) => String(error.name !== 'Error' ? error.name : error.constructor.name);
const isError = (value) => value instanceof Error || isNativeError(value);
const story = (error, depth = 0) => (isError(error) ? `${nameOf(error)}: ${tale(error, depth)}` : shown(error));
/// Its message, the frames of the author's own code and the last ones, then the same of what it came from.
const tale = (error, depth = 0) => {
  const message = messageOf(error);
  const code = error.code !== undefined && !message.includes(shown(error.code)) ? ` [${shown(error.code)}]` : '';
  const from = [...(error.cause === undefined ? [] : [['caused by ', error.cause]]),
    ...(Array.isArray(error.errors) ? error.errors.slice(0, 5).map((one) => ['one of its errors: ', one]) : [])];
  return [message + code, ...framesOf(error), ...(depth < 5 ? from.map(([how, one]) => how + story(one, depth + 1)) : [])].join('\n');
};
const framesOf = (error) => {
  const frames = stackOf(error).split('\n').filter((line) => /^ {4}at /.test(line) && !/[( ]node:/.test(line) && !line.includes(client));
  const own = frames.filter((line) => !line.includes('/node_modules/')).slice(0, 6);
  return frames.filter((line, at) => at < 3 || own.includes(line)).slice(0, 9);
};

function shown(value) {
  try {
    const isPlain = typeof value === 'object' && value !== null && !isError(value) && !Object.hasOwn(value, 'toString');
    return String(isPlain && String(value).startsWith('[object ') ? JSON.stringify(value, plain) : value).slice(0, mostText);
  } catch {
    return unshown;
  }
}

module.exports = { isError, messageOf, mostText, nameOf, shown, stackOf, story, tale, unshown };
