// Tasks for the tests of the warm clients; warm_tasks.py has the same ones.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { task, serve, Fail, Retry, Snooze, BadPayload } = require(process.env.DORMOUSE_CLIENT);

const picture = (payload) => {
  const issue = (path, message) => { throw Object.assign(new Error('zod'), { issues: [{ path, message }] }); };
  payload.sizes?.forEach((size, i) => { if (!Number.isInteger(size.width)) issue(['sizes', i, 'width'], 'expected an integer'); });
  if (typeof payload.file !== 'string') issue(['file'], 'missing');
  return { ...payload, sizes: payload.sizes.map((size) => ({ height: 100, ...size })) };
};
class KeyError extends Error {}

task('echo', (payload) => payload);
task('who', (payload, run) => ({
  id: run.id, task: run.task, queue: run.queue, attempt: run.attempt, max_attempts: run.maxAttempts, fence: run.fence,
  deadline: run.deadline ?? null, traceparent: run.traceparent ?? null,
}));
task('nothing', () => { console.log('a stray line on stdout'); });
task('broken', async () => { throw new KeyError('no such file\x1b\x00\ud800'); });
task('fails', ({ permanent }) => { throw new Fail('never', { permanent }); });
task('tries_again', async (payload) => { throw new Retry(payload === null ? {} : { in: payload }, 'busy'); });
task('later', async (payload) => { throw new Snooze(payload === null ? {} : { in: payload }, 'busy'); });
task('steps', async (payload, run) => {
  run.progress(0.25, 'a quarter');
  run.progress(7);
  run.log('one\ntwo \ud800\x00');
  for (const level of ['debug', 'info', 'warning', 'error']) run.log(level, level);
  run.heartbeat(30);
});
task('chain', async (payload, run) => {
  run.enqueue('next', { n: 1 }, { queue: 'mail', priority: -1, key: 'k' });
  run.enqueue('last', undefined, { maxAttempts: 2, delay: undefined });
  if (payload === 'odd') run.enqueue('last', null, { attempts: 2 });
  if (payload) throw new TypeError('after all');
});
task('hands_on', async ([count, size, result], run) => {
  for (let i = 0; i < count; i += 1) run.enqueue('next', 'x'.repeat(size));
  return result;
});
task('half', () => ({ text: 'a \ud800' }));
task('unwritable', async (payload) => {
  const circle = {};
  circle.self = circle;
  return { circle, function: () => {} }[payload];
});
task('everyday', () => ({ map: new Map([['a', 1]]), set: new Set([1, 2]), big: 12345678901234567890n, bytes: Buffer.from([255, 0]), at: new Date(0) }));
task('starts', async (payload, run) => {
  const child = spawn('/bin/sh', ['-c', 'sleep 300 & echo $$ $!; wait']);
  const pids = await new Promise((resolve) => { child.stdout.once('data', (text) => resolve(String(text).trim().split(' ').map(Number))); });
  if (payload === 'leaves') return pids;
  run.log(JSON.stringify(pids));
  await new Promise((resolve, reject) => { run.signal.addEventListener('abort', () => reject(run.signal.reason)); });
});
task('sized', { payload: { parse: picture } }, (payload) => payload);
task('gate', async (payload, run) => {
  run.log('began');
  return fs.promises.readFile(payload, 'utf8');
});
task('spins', (payload, run) => {
  run.progress('spins');
  while (!fs.existsSync(payload) && process.uptime() < 300); // no process outlives a test that was ended
});
task('waits', async (payload, run) => {
  run.log('began');
  const { signal } = run;
  await new Promise((resolve, reject) => { signal.addEventListener('abort', () => { run.log('tidied'); reject(signal.reason); }); });
});
task('by_itself', async () => { throw new BadPayload('by itself'); });

serve({ concurrency: 4 });
