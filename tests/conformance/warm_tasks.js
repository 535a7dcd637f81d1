// The tasks of the conformance suite in Node; exec_tasks.py, warm_tasks.py and conformance_test.cpp have the same ones.
'use strict';

const fs = require('node:fs');
const { execFile, spawn, spawnSync } = require('node:child_process');
const { promisify } = require('node:util');
const { setTimeout: sleep } = require('node:timers/promises');
const { task, serve, Snooze, Retry, Fail } = require(process.argv[2]);

const wait = async (run) => {
  run.log('began');
  await sleep(300_000, undefined, { signal: run.signal }); // no process outlives a test that was ended
};

task('echo', async (payload) => payload);
task('context', async (_, run) => ({
  id: run.id,
  task: run.task,
  queue: run.queue,
  attempt: String(run.attempt),
  max_attempts: String(run.maxAttempts),
  fence: run.fence,
  traceparent: run.traceparent,
  deadline: run.deadline ?? null,
}));
task('nothing', async () => {});
task('fails', async () => {
  const error = new Error('no such thing');
  error.name = 'ValueError';
  throw error;
});
task('fails_for_good', async () => {
  throw new Fail('never', { permanent: true });
});
task('later', async () => {
  throw new Snooze({ in: 30 }, 'busy');
});
task('says', async (_, run) => {
  run.progress(0.5, 'half');
  run.log('careful', 'warning');
  run.enqueue('next', { n: 1 });
  return 1;
});
task('sized', async (payload) => 'x'.repeat(payload - 2));
task('floods', async (payload, run) => {
  for (let i = 0; i < payload; i += 1) run.log('y'.repeat(1000));
  return true;
});
task('misnames', async (_, run) => {
  run.enqueue('next', null, { attempts: 2 });
  run.log('the work is done');
});
task('prints', async (payload) => {
  for (const name of ['stdout', 'stderr']) process[name].write(`${`${'x'.repeat(999)}\n`.repeat(400)}the last of ${name}\n`);
  if (payload === 'fails') throw new Error('no such thing');
});
task('verbose', async (_, run) => {
  run.log('ü'.repeat(5_000));
  run.progress(0.5, 'ü'.repeat(500));
  throw new Error('ü'.repeat(10_000));
});
task('hoards', async (payload, run) => run.enqueue('next', 'x'.repeat(payload)));
task('arguments', async () => process.argv.slice(3));
task('quiet', async (_, run) => {
  run.heartbeat(0.3);
  await wait(run);
});
task('waits', async (_, run) => wait(run));
task('stubborn', async (_, run) => {
  run.log('began');
  await sleep(300_000);
});
task('dies', async () => process.kill(process.pid, 'SIGKILL'));
task('says_its_pid', async (_, run) => {
  run.log(String(process.pid));
  await wait(run);
});
task('leaves', async (payload, run) => { // of those with several runs at once
  spawn('sleep', [payload], { stdio: 'ignore' });
  await wait(run);
});
task('unfit', async (what) => {
  const loop = {};
  loop.b = loop;
  const one = { nan: NaN, infinity: -Infinity, function: () => 1, text: '\ud800', circle: loop, nul: 'a\0b' }[what];
  return { a: [1, what === 'circle' ? one : { b: one }] };
});
task('has_pid', async () => process.pid);
task('starts', async (_, run) => {
  run.log(String(spawn('sleep', ['300'], { stdio: 'ignore' }).pid));
  await wait(run);
});
task('shells', async (payload, run) => {
  await promisify(execFile)('/bin/sh', ['-c', payload], { signal: run.signal });
  await wait(run);
});
task('blocks', async (payload, run) => {
  run.log('began');
  spawnSync('/bin/sh', ['-c', payload]);
  return 'done';
});
task('fails_because', async () => {
  const error = new Error('no such thing', { cause: new Error('the disk is full') });
  error.name = 'ValueError';
  throw error;
});
task('drops', async (payload, run) => {
  run.enqueue('next', 1);
  run.enqueue('next', 2);
  if (payload === 'waits') await wait(run);
  if (payload === 'later') throw new Snooze({ in: 30 }, 'busy');
  throw new Error('no such thing');
});
task('gives_up', async () => {
  const error = new Error('no such thing');
  error.name = 'ValueError';
  throw new Retry({ in: 30, cause: error }, 'busy');
});
class MumblingError extends Error {
  get message() { throw new TypeError('no word'); }
}
task('mumbles', async (payload) => {
  if (payload === 'result') return { toJSON() { throw new MumblingError(); } };
  throw new MumblingError();
});
task('forks', async () => spawn('sleep', ['300'], { detached: true, stdio: 'ignore' }).pid);
task('gated', async (payload, run) => {
  fs.appendFileSync(`${payload}/marks`, `${run.id} ${run.fence} ${process.pid}\n`);
  await (await fs.promises.open(`${payload}/gate`)).close();
  return run.fence;
});
serve();
