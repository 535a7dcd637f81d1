// Background runs in Postgres: enqueue them in your own transaction, and write their handlers.

// --- producers ---------------------------------------------------------------------------------------------------------------------------

/** A Client, PoolClient or Pool of pg, sql of postgres.js, knex, prisma, or a function that sends $1, $2, … and resolves to rows. */
export type Connection =
  | { query(text: string, values: any[]): Promise<{ rows: any[] }>; connect: Function }
  | { unsafe(text: string, values?: any[]): PromiseLike<any> }
  | { raw(text: string, values: any[]): PromiseLike<any> }
  | { $queryRawUnsafe(text: string, ...values: any[]): PromiseLike<any> }
  | { client: any; query(text: string, values?: any[]): Promise<any> }
  | ((text: string, values: (string | null)[]) => PromiseLike<{ rows: any[] } | any[]>);

/** The doorbell of a pool: a name, a path, HOST:PORT or several; false: none. */
export type Ring = boolean | string | string[];

export interface Options {
  /** If the task already has a run with this key, finished or not, its id is returned and no second run is enqueued. */
  key?: string | null;
  /** Not before; a Date, or text with a time zone. */
  runAt?: Date | string | null;
  /** Not before this many seconds from now. */
  delay?: number | null;
  queue?: string | null;
  /** -100 to 100, smaller is sooner. */
  priority?: number | null;
  /** Seconds, of each attempt. */
  timeout?: number | null;
  maxAttempts?: number | null;
  traceparent?: string | null;
  ring?: Ring;
}

export type Status = 'queued' | 'running' | 'retry' | 'blocked' | 'completed' | 'failed' | 'canceled';

export interface Result<R = any> {
  id: string;
  status: Status;
  result: R | null;
  error: any;
  attempts: number;
  finishedAt: Date | null;
  finished: boolean;
  completed: boolean;
}

export interface Answer {
  done: boolean;
  text: string;
}

export interface Enqueued {
  id: string;
  task: string;
  payload: any;
  queue: string;
  priority: number;
  key: string | null;
  runAt: Date | null;
}

export function enqueue(conn: Connection, task: string, payload?: unknown, options?: Options): Promise<string>;
export function enqueueMany(
  conn: Connection,
  task: string,
  payloads: unknown[],
  options?: Omit<Options, 'key' | 'traceparent'> & { keys?: (string | null)[] | null },
): Promise<string[]>;
export function result<R = any>(conn: Connection, id: string): Promise<Result<R> | null>;
export function wait<R = any>(conn: Connection, id: string, options?: { timeout?: number }): Promise<Result<R>>;
export function cancel(conn: Connection, id: string, reason?: string | null): Promise<Answer>;
export function retry(conn: Connection, id: string, options?: { ring?: Ring }): Promise<Answer>;
export function enqueued(conn: Connection, options?: { task?: string }): Promise<Enqueued[]>;
export function drain(options?: { pool?: string; config?: string; databaseUrl?: string; timeout?: number; program?: string }): Promise<string>;
export function ring(target?: string, options?: { timeout?: number }): Promise<boolean>;
export function transaction<T>(conn: any, work: (tx: any, enqueued: () => void) => Promise<T>, target?: string, options?: { timeout?: number }): Promise<T>;

// --- handlers ----------------------------------------------------------------------------------------------------------------------------

export interface Run<P = any> {
  readonly id: string;
  readonly task: string;
  readonly payload: P;
  readonly queue: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly fence: string;
  readonly deadline: number | undefined;
  readonly traceparent: string | undefined;
  readonly signal: AbortSignal;
  readonly cancelled: boolean;
  readonly cancelReason: string | undefined;
  /** An object is shown as JSON. */
  progress(fraction: number, text?: unknown): void;
  progress(text: string): void;
  log(text: unknown, level?: 'debug' | 'info' | 'warning' | 'error'): void;
  heartbeat(within: number): void;
  enqueue(task: string, payload?: unknown, members?: Omit<Options, 'ring' | 'delay' | 'timeout'> & { delay?: number | string; timeout?: number | string; run_at?: Date | string; max_attempts?: number; watched?: boolean }): void;
}

export type Handler<P, R> = (payload: P, run: Run<P>) => R | Promise<R>;
export function task<P = any, R = any>(name: string, handle: Handler<P, R>): void;
export interface TaskOptions<P> {
  payload?: { parse(payload: unknown): P } | ((payload: unknown) => P);
  /** Retry only after errors of these classes. */
  retryOn?: (abstract new (...given: any[]) => unknown)[];
  /** Do not retry after these. */
  noRetryOn?: (abstract new (...given: any[]) => unknown)[];
}
export function task<P, R = any>(name: string, options: TaskOptions<P>, handle: Handler<P, R>): void;
/** Before the process takes its first run. */
export function onStart(hook: () => unknown): void;
/** When the pool stops the process; it has five seconds. */
export function onStop(hook: () => unknown): void;
export function serve(options?: { concurrency?: number }): void;

export class Fail extends Error {
  constructor(message?: string, options?: { permanent?: boolean; cause?: unknown });
  permanent: boolean;
}
export class BadPayload extends Fail {}
export class BadResult extends Fail {}
export class Retry extends Error {
  /** cause: what the run's error is if this uses up the last attempt. */
  constructor(options?: { in?: number; cause?: unknown }, message?: string);
  in: number | undefined;
}
export class Snooze extends Retry {}
