// Read by tsc, never executed: @ts-expect-error is where an error has to be.
import { cancel, drain, enqueue, enqueueMany, enqueued, result, Retry, serve, task, transaction, wait } from 'dormouse-worker';
import { ConnectionOptions, Job, Processor, Queue, QueueEvents, UnrecoverableError, Worker, WorkerOptions } from 'dormouse-worker/dormouse-bullmq.js';
import { Client, Pool, PoolClient } from 'pg';
import postgres from 'postgres';

export async function produce(client: Client, pool: Pool, sql: postgres.Sql): Promise<string[]> {
  const id: string = await enqueue(client, 'thumbnail', { file: 'a.png' }, { key: 'a', runAt: new Date(), delay: undefined, ring: ['near', 'host:7300'] });
  await enqueue(pool, 'thumbnail');
  await enqueue(sql, 'thumbnail', null, { priority: 3 });
  await enqueue(async (text: string, values: (string | null)[]) => (await client.query(text, values)).rows, 'thumbnail');
  // @ts-expect-error there is no such option
  await enqueue(client, 'thumbnail', {}, { prioriti: 3 });
  // @ts-expect-error a task has a name
  await enqueue(client, 17);
  // @ts-expect-error no connection
  await enqueue('postgresql:///app', 'thumbnail');
  const found = await result<{ bytes: number }>(client, id);
  const bytes: number | undefined = found?.result?.bytes;
  const done = await wait(client, id, { timeout: 3 });
  if (done.status === 'completed' && bytes) console.log(done.finishedAt?.toISOString(), (await cancel(client, id)).done);
  console.log((await enqueued(client, { task: 'thumbnail' })).map(({ payload }) => payload), await drain({ timeout: 3 }));
  return transaction(pool, (tx: PoolClient) => enqueueMany(tx, 'thumbnail', [{ file: 'b.png' }], { keys: [null] }));
}

task('thumbnail', async (payload: { file: string }, run) => {
  run.progress(0.5, payload.file);
  throw new Retry({ in: 30 });
});
serve({ concurrency: 2 });

export async function ofBullmq(pool: Pool, client: PoolClient): Promise<number> {
  const queue = new Queue<{ to: string }, number>('mail', { connection: pool, defaultJobOptions: { removeOnComplete: { age: 3600 }, attempts: 3 } });
  const job = await queue.add('welcome', { to: 'you' }, { backoff: { type: 'exponential', delay: 1000 }, delay: 5, jobId: 'you', connection: client });
  // @ts-expect-error the data has a type
  await queue.add('welcome', { from: 'you' });
  // @ts-expect-error schedules are not there
  await queue.add('welcome', { to: 'you' }, { repeat: { every: 1000 } });
  // @ts-expect-error there is no Redis
  const other = new Queue('mail', { connection: { host: 'localhost' } });
  const worker = new Worker<{ to: string }, number>('mail', async (one) => {
    await one.updateProgress(50);
    if (one.attemptsMade > 2) throw new UnrecoverableError(`no: ${one.timestamp.toFixed()} ${await one.log('third')}`);
    if (one.data.to === 'later') await one.moveToDelayed(Date.now() + 1000, one.token);
    one.run.enqueue('next', { n: 1 }, { maxAttempts: 2, delay: '2h' });
    // @ts-expect-error an option that is none
    one.run.enqueue('next', { n: 1 }, { attempts: 2 });
    return one.data.to.length;
  }, { concurrency: 5 });
  worker.on('completed', (one, value) => console.log(one.id, value.toFixed()));
  worker.on('failed', (one, error) => console.log(one.data.to, error.message, other.name));
  worker.on('ready', () => worker.rateLimit(1000));
  const events = new QueueEvents('mail', { connection: pool });
  // @ts-expect-error it hears nothing
  events.on('completed', console.log);
  console.log((await Job.fromId(queue, job.id))?.failedReason, (await queue.getJob(job.id))?.finishedOn?.toFixed());
  return job.waitUntilFinished(events, 1000);
}

// As programs of BullMQ write it: the job that a processor is given is a Job.
export function asBefore(connection: ConnectionOptions, options: WorkerOptions): Worker {
  const processor: Processor<{ to: string }, number> = async (job: Job<{ to: string }, number>, token?: string) => {
    await job.updateProgress({ at: 'half' });
    await job.log(`${job.data.to} ${token ?? ''}`);
    return job.attemptsMade;
  };
  const worker = new Worker('mail', processor, { ...options, connection, lockDuration: 30000, maxStalledCount: 2 });
  worker.on('failed', (job: Job | undefined, error: Error) => console.error(job?.opts.attempts, error.message));
  return new Worker('files', '/srv/app/processor.js', options) ?? worker;
}
