// Workers as programs of BullMQ have them; bullmq_test.js has a real worker start this file.
'use strict';

const { DelayedError, UnrecoverableError, Worker } = require(process.env.CLIENT);

class Unreachable extends Error {}
const marks = [];

const worker = new Worker('jobs', async (job) => {
  switch (job.name) {
    case 'echo': return { data: job.data, id: job.id, made: job.attemptsMade, started: job.attemptsStarted, queue: job.queueName, opts: job.opts };
    case 'third time':
      if (job.attemptsMade < 2) throw new Unreachable(`attempt ${job.attemptsStarted}`);
      return job.attemptsMade;
    case 'never': throw new UnrecoverableError('no such address');
    case 'lines': throw new Error('one\ntwo');
    case 'plain': throw new TypeError('always');
    case 'later':
      if (marks.includes(job.id)) return 'now';
      marks.push(job.id);
      await job.moveToDelayed(Date.now() + 10);
      throw new DelayedError();
    case 'steps':
      await job.updateProgress(25);
      await job.log('a quarter');
      return job.progress;
    case 'of a producer': return job.remove();
    case 'object': return job.updateProgress({ at: 'half' });
    case 'killed':
      if (job.run.attempt === 1) process.kill(process.pid, 'SIGKILL');
      return 'again';
    case 'mute': throw Object.defineProperty(new Unreachable(), 'message', { get() { throw new Error('no word'); } });
    case 'bare': throw Object.create(null);
    case 'heedless': // of the signal, as most processors are
      await new Promise((done) => { setTimeout(done, job.data.for); });
      return 'too late';
    case 'heard wrongly': return 'done';
    default: return null;
  }
}, { concurrency: 3, connection: { host: 'unused' }, settings: { backoffStrategy } });
async function backoffStrategy(made, type) {
  await null;
  if (type === 'broken') throw new Error('no such strategy');
  if (type === 'odd') return undefined;
  return type === 'own' && made < 3 ? 1 : -1;
}
worker.on('active', (job) => job.log(`active ${job.name}`));
worker.on('completed', (job) => { if (job.name === 'heard wrongly') throw new Error('a listener that throws'); });
worker.on('completed', (job, value) => job.log(`completed ${job.attemptsMade} ${JSON.stringify(value) ?? ''}`));
worker.on('failed', (job, error) => job.log(`failed ${job.attemptsMade} ${error.message}`));
worker.on('progress', (job, progress) => job.log(`progress ${JSON.stringify(progress)}`));
new Worker('told', (job) => ({ name: job.name, data: job.data, attempts: job.opts.attempts }), { autorun: false });
new Worker('others', (job) => job.data, { autorun: false });
new Worker('files', `${__dirname}/bullmq_processor`);
new Worker('modules', new URL('bullmq_processor.mjs', `file://${__dirname}/`));
