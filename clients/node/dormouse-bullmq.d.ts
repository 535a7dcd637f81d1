// Queues and workers that were written for BullMQ, on dormouse.
import { EventEmitter } from 'node:events';
import { Answer, Connection, Fail, Ring, Run } from './dormouse.js';

export type BackoffOptions = { type: string; delay?: number; jitter?: number };
export type Backoff = number | BackoffOptions;
export type ConnectionOptions = Connection;
export type KeepJobs = { age?: number; count?: number };
export type DefaultJobOptions = JobsOptions;
export type BulkJobOptions = JobsOptions;
export type JobProgress = number | string | object;
export interface JobsOptions {
  /** Milliseconds. */
  delay?: number;
  /** Default: 1. */
  attempts?: number;
  backoff?: Backoff;
  /** -100 to 100, smaller is sooner. */
  priority?: number;
  /** A name, not a UUID: if the queue already has a job with it, finished or not, that job is returned and no second one is added. */
  jobId?: string;
  lifo?: boolean;
  /** Ignored. With a jobId, `true` is an error: the id stays taken after the job has completed. */
  removeOnComplete?: unknown;
  removeOnFail?: unknown;
  keepLogs?: number;
  stackTraceLimit?: number;
  sizeLimit?: number;
  timestamp?: number;
  /** A client of yours: the job is added in its transaction. */
  connection?: Connection;
  ring?: Ring;
}
export interface QueueOptions {
  connection: Connection;
  defaultJobOptions?: JobsOptions;
  /** The queue of dormouse. Default: "default". */
  queue?: string;
  prefix?: string;
}
export type JobState = 'waiting' | 'waiting-children' | 'active' | 'delayed' | 'completed' | 'failed' | 'unknown';

/** What add() and getJob() resolve to, and what a processor is given; of the methods, each of the two has its own, and the others throw. */
export interface Job<DataType = any, ReturnType = any, NameType extends string = string> {
  readonly id: string;
  readonly name: NameType;
  readonly data: DataType;
  readonly queueName: string;
  readonly opts: JobsOptions;
  /** When it was added, in milliseconds. */
  readonly timestamp: number;
  readonly delay: number;
  readonly priority: number;
  /** The attempts that have ended. */
  readonly attemptsMade: number;
  readonly attemptsStarted: number;
  readonly progress: JobProgress;
  readonly returnvalue?: ReturnType;
  readonly failedReason?: string;
  readonly finishedOn?: number;

  // Of a job that was added or found.
  getState(): Promise<JobState>;
  isCompleted(): Promise<boolean>;
  isFailed(): Promise<boolean>;
  isActive(): Promise<boolean>;
  waitUntilFinished(events?: unknown, ttl?: number): Promise<ReturnType>;
  remove(): Promise<Answer>;
  /** Starts a finished job again, with the data that it has. */
  retry(): Promise<Answer>;

  // Of the job that a processor is given.
  readonly processedOn: number;
  readonly stacktrace: string[];
  /** Not needed: the worker holds the job. */
  readonly token?: string;
  extendLock(token?: string, duration?: number): Promise<number>;
  readonly run: Run;
  /** 0 to 100, or an object, which is shown as text. */
  updateProgress(progress: JobProgress): Promise<void>;
  /** How many rows it has said now. */
  log(row: string): Promise<number>;
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
}
export type AddedJob<DataType = any, ReturnType = any, NameType extends string = string> = Job<DataType, ReturnType, NameType>;
export type JobAtWork<DataType = any, ReturnType = any, NameType extends string = string> = Job<DataType, ReturnType, NameType>;

export class Queue<DataType = any, ReturnType = any, NameType extends string = string> extends EventEmitter {
  constructor(name: string, options: QueueOptions);
  readonly name: string;
  add(name: NameType, data?: DataType, options?: JobsOptions): Promise<AddedJob<DataType, ReturnType, NameType>>;
  addBulk(jobs: { name: NameType; data?: DataType; opts?: JobsOptions }[]): Promise<AddedJob<DataType, ReturnType, NameType>[]>;
  /** Its status and outcome. A producer may not read what was added (name, data, opts) or its progress: reading them throws. */
  getJob(id: string): Promise<AddedJob<DataType, ReturnType, NameType> | undefined>;
  getJobState(id: string): Promise<JobState>;
  remove(id: string): Promise<number>;
  waitUntilReady(): Promise<this>;
  close(): Promise<void>;
}

export type Processor<DataType = any, ReturnType = any, NameType extends string = string> =
  (job: JobAtWork<DataType, ReturnType, NameType>, token?: string, signal?: AbortSignal) => Promise<ReturnType> | ReturnType;
export interface WorkerOptions {
  connection?: unknown;
  concurrency?: number;
  autorun?: boolean;
  settings?: { backoffStrategy?: (attemptsMade: number, type: string, error: Error, job: JobAtWork) => number | Promise<number> };
  /** Ignored, like those below. */
  prefix?: string;
  lockDuration?: number;
  lockRenewTime?: number;
  stalledInterval?: number;
  maxStalledCount?: number;
  drainDelay?: number;
  useWorkerThreads?: boolean;
  removeOnComplete?: unknown;
  removeOnFail?: unknown;
  metrics?: unknown;
}
export class Worker<DataType = any, ReturnType = any, NameType extends string = string> extends EventEmitter {
  constructor(name: string, processor: Processor<DataType, ReturnType, NameType> | string | URL, options?: WorkerOptions);
  readonly name: string;
  run(): void;
  isRunning(): boolean;
  waitUntilReady(): Promise<void>;
  /** Milliseconds until a job that throws Worker.RateLimitError() is tried again. */
  rateLimit(milliseconds: number): Promise<void>;
  static RateLimitError(): Error;
  close(): Promise<void>;
  on(event: 'active', listener: (job: JobAtWork<DataType, ReturnType, NameType>) => void): this;
  on(event: 'progress', listener: (job: JobAtWork<DataType, ReturnType, NameType>, progress: number | string | object) => void): this;
  on(event: 'completed', listener: (job: JobAtWork<DataType, ReturnType, NameType>, result: ReturnType) => void): this;
  on(event: 'failed', listener: (job: JobAtWork<DataType, ReturnType, NameType>, error: Error) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  /** These never come. */
  on(event: 'ready' | 'drained' | 'stalled' | 'paused' | 'resumed' | 'closing' | 'closed', listener: (...given: any[]) => void): this;
}

export const Job: { fromId(queue: Queue, id: string): Promise<AddedJob | undefined> };

export class UnrecoverableError extends Fail {}
export class DelayedError extends Error {}
export class RateLimitError extends Error {}
/** For waitUntilFinished(), which needs none: it emits nothing, and listening to anything but 'error' throws. */
export class QueueEvents {
  constructor(name: string, options?: unknown);
  readonly name: string;
  on(event: 'error', listener: (error: Error) => void): this;
  once(event: 'error', listener: (error: Error) => void): this;
  off(event: string, listener: (...given: never[]) => void): this;
  waitUntilReady(): Promise<this>;
  close(): Promise<void>;
}
