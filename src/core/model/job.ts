/** A job as its handler sees it, and as a look-up shows it. */
import type { Headers } from "./envelope.ts";

/** One delivery of a job. */
export interface Job<T> {
  readonly id: string;
  /** The payload; the schema's output where the queue has a schema. */
  readonly data: T;
  /** Counts the deliveries from 1; given back by a release or `RetryLater`, a job keeps its count. */
  readonly attempt: number;
  /** After this many failed attempts the job is buried. */
  readonly maxAttempts: number;
  /**
   * Only grows from one delivery of the job to the next. Hand it to your own database, and let that
   * refuse a write that comes with a smaller one: then a stalled holder can do no harm there either.
   */
  readonly fencingToken: number;
  /** When the producer enqueued it, by the producer's clock. */
  readonly enqueuedAt: Date;
  /** When this delivery was due, by Redis's clock. */
  readonly dueAt: Date;
  readonly headers: Headers;
  /**
   * Extends the lease now, by a whole visibility timeout. A worker does this by itself while a handler
   * runs; call it before work that blocks the event loop.
   *
   * @throws LeaseLostError if another holder has the job by now
   */
  extend(): Promise<void>;
}

/** What the handler gets beside the job. */
export interface HandlerContext {
  /**
   * Aborts when going on is of no use: the lease is lost (`LeaseLostError`), the handler's time is up
   * (`HandlerTimeoutError`), or the worker's close has run out of time (`WorkerClosingError`).
   */
  readonly signal: AbortSignal;
}

/** Runs one delivery. Returning acknowledges it, throwing fails the attempt. */
export type Handler<T> = (job: Job<T>, context: HandlerContext) => unknown;

/** Where a job is: not due yet, due, held by a worker, or a dead letter. */
export type JobState = "delayed" | "due" | "processing" | "dead";

/** A job as `queue.get` and `queue.dead.list` show it. */
export interface JobSnapshot<T> {
  readonly id: string;
  readonly state: JobState;
  /** As it was enqueued; undefined if it cannot be decoded, see `damage`. */
  readonly data: T | undefined;
  /** Deliveries that did not end well so far. */
  readonly failedAttempts: number;
  /** Set if the job was enqueued with a limit of its own. */
  readonly maxAttempts: number | undefined;
  /** By the producer's clock; undefined if the envelope cannot be read. */
  readonly enqueuedAt: Date | undefined;
  /** By Redis's clock; set while the job is delayed or due. */
  readonly dueAt: Date | undefined;
  /** By Redis's clock; set once the job is dead. */
  readonly diedAt: Date | undefined;
  readonly headers: Headers;
  readonly lastError: string | undefined;
  /** Why `data` is missing, where the stored payload cannot be decoded. */
  readonly damage: string | undefined;
}
