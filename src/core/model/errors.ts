/** What holdfast throws. One class per cause that a caller would treat differently. */

export type HoldfastErrorCode =
  | "CLOCK_JUMP"
  | "CLOSED"
  | "DURABILITY"
  | "ENQUEUE_UNCONFIRMED"
  | "HANDLER_TIMEOUT"
  | "INCOMPATIBLE_DATA"
  | "INVALID_OPTION"
  | "LEASE_LOST"
  | "OVERLOADED"
  | "PAYLOAD"
  | "QUEUE_FULL"
  | "REDIS_REFUSED"
  | "REDIS_UNAVAILABLE"
  | "UNEXPECTED"
  | "UNSAFE_REDIS"
  | "WORKER_CLOSING";

export interface HoldfastErrorOptions {
  readonly cause?: unknown;
}

/** Base of all errors of holdfast. */
export abstract class HoldfastError extends Error {
  /** Stable, for programs; the message is for people. */
  abstract readonly code: HoldfastErrorCode;
  /** Whether the same call may succeed later without any change. */
  abstract readonly retryable: boolean;

  constructor(message: string, options?: HoldfastErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** In place of a value that may hold a password: so it stands in no message. */
export const NOT_SHOWN = Symbol("not shown");

/** An option has a value that is not allowed. Nothing was sent. */
export class InvalidOptionError extends HoldfastError {
  readonly code = "INVALID_OPTION";
  readonly retryable = false;
  /** Name of the option, such as `delayMs`. */
  readonly option: string;

  constructor(option: string, value: unknown, allowed: string, options?: HoldfastErrorOptions) {
    super(`${option} is ${describeValue(value)}, but must be ${allowed}`, options);
    this.option = option;
  }
}

/** A payload cannot be encoded or decoded, fails its schema, or is too large. */
export class PayloadError extends HoldfastError {
  readonly code = "PAYLOAD";
  readonly retryable = false;
}

/** Redis is at its memory limit and refused new jobs. Workers go on; repeat once there is room. */
export class QueueFullError extends HoldfastError {
  readonly code = "QUEUE_FULL";
  readonly retryable = true;
  /** The ids that are not stored, where `enqueueMany` was refused. */
  readonly ids: readonly string[];

  constructor(
    message: string,
    options?: HoldfastErrorOptions & { readonly ids?: readonly string[] },
  ) {
    super(message, options);
    this.ids = options?.ids ?? [];
  }
}

/**
 * No answer came in time, so whether the jobs are stored is unknown. Enqueue again with the same ids:
 * what was stored is then answered as a duplicate, and runs once.
 */
export class EnqueueUnconfirmedError extends HoldfastError {
  readonly code = "ENQUEUE_UNCONFIRMED";
  readonly retryable = true;
  /** The ids in doubt. */
  readonly ids: readonly string[];
  /** How long the answer was waited for. */
  readonly timeoutMs: number;

  constructor(ids: readonly string[], timeoutMs: number, options?: HoldfastErrorOptions) {
    const named = ids.length === 1 ? `the job ${JSON.stringify(ids[0])}` : `${ids.length} jobs`;
    super(
      `Redis did not confirm ${named} within ${timeoutMs} ms; enqueue again with the same id ` +
        `(error.ids), which is safe whether or not it was stored`,
      options,
    );
    this.ids = ids;
    this.timeoutMs = timeoutMs;
  }

  /** The id in doubt, or the first of them. */
  get id(): string {
    return this.ids[0] ?? "";
  }
}

/** Who has a job safe besides the primary's memory. */
export interface Confirmations {
  /** 1 if the primary's own append-only file has it on disk, or must. */
  readonly local: number;
  /** Replicas that have it: in memory, or on disk where an append-only file was asked for. */
  readonly replicas: number;
}

export interface DurabilityShortfall {
  readonly required: Confirmations;
  readonly confirmed: Confirmations;
  readonly timeoutMs: number;
}

/**
 * The job is stored on the primary, but fewer replicas or disks than `durability` asks for confirmed it
 * in time. It will run all the same. Enqueue again with the same id to have it confirmed, which is safe.
 */
export class DurabilityError extends HoldfastError {
  readonly code = "DURABILITY";
  readonly retryable = true;
  /** The ids that are not confirmed. Of an `enqueueMany`, some may not be stored yet. */
  readonly ids: readonly string[];
  readonly required: Confirmations;
  readonly confirmed: Confirmations;
  /** How long the confirmations were waited for. */
  readonly timeoutMs: number;

  constructor(
    ids: readonly string[],
    { required, confirmed, timeoutMs }: DurabilityShortfall,
    options?: HoldfastErrorOptions,
  ) {
    const named =
      ids.length === 1
        ? `the job ${JSON.stringify(ids[0])} is stored on the primary, but is`
        : `${ids.length} jobs (error.ids) are`;
    const counts = [
      required.local > 0 ? `${confirmed.local} of ${required.local} local disks` : "",
      required.replicas > 0 ? `${confirmed.replicas} of ${required.replicas} replicas` : "",
    ].filter((text) => text !== "");
    super(
      `${named} not confirmed: ${counts.join(" and ")} did so within ${timeoutMs} ms; ` +
        `enqueue again with the same id to have it confirmed, which is safe`,
      options,
    );
    this.ids = ids;
    this.required = required;
    this.confirmed = confirmed;
    this.timeoutMs = timeoutMs;
  }

  /** The id that is not confirmed, or the first of them. */
  get id(): string {
    return this.ids[0] ?? "";
  }
}

/** The lease ended or went to another worker; whatever this holder still does will not be settled. */
export class LeaseLostError extends HoldfastError {
  readonly code = "LEASE_LOST";
  readonly retryable = false;
}

/** The handler ran longer than `handlerTimeoutMs`. Counts as a failed attempt. */
export class HandlerTimeoutError extends HoldfastError {
  readonly code = "HANDLER_TIMEOUT";
  readonly retryable = true;
}

/** The worker is closing and gives the job back, uncounted. */
export class WorkerClosingError extends HoldfastError {
  readonly code = "WORKER_CLOSING";
  readonly retryable = true;
}

/** This server, or the way it is configured, would lose jobs. */
export class UnsafeRedisError extends HoldfastError {
  readonly code = "UNSAFE_REDIS";
  readonly retryable = false;
}

/** The data under the queue's keys is not holdfast's, or was written by a newer release. */
export class IncompatibleDataError extends HoldfastError {
  readonly code = "INCOMPATIBLE_DATA";
  readonly retryable = false;
}

/** Redis cannot be reached, does not answer in time, or is not ready to serve. */
export class RedisUnavailableError extends HoldfastError {
  readonly code = "REDIS_UNAVAILABLE";
  readonly retryable = true;
}

/** Redis refused: credentials, permissions, certificates, or a server that lacks a command. */
export class RedisRefusedError extends HoldfastError {
  readonly code = "REDIS_REFUSED";
  readonly retryable = false;
}

/**
 * Redis's clock jumped: it was set, or a failover led to a node with another clock. Nothing is lost and
 * the worker goes on; `docs/guarantees.md` says what a jump does to due times and leases.
 */
export class ClockJumpError extends HoldfastError {
  readonly code = "CLOCK_JUMP";
  readonly retryable = false;
  /** How far it jumped between two looks of this worker, in milliseconds: positive for forward. */
  readonly jumpMs: number;

  constructor(jumpMs: number) {
    const effect =
      jumpMs > 0
        ? "forward: delayed jobs are due early by as much, and leases ended early, so that jobs may run twice"
        : "back: jobs become due later by as much, and leases of workers that died last longer";
    super(
      `Redis's clock jumped ${Math.abs(jumpMs)} ms ${effect}. Let NTP slew the clocks of all Redis nodes, ` +
        "not step them (a machine of this worker that was suspended looks like a jump forward)",
    );
    this.jumpMs = jumpMs;
  }
}

/** What should not happen: a defect of holdfast, or something between it and Redis that changes replies. */
export class UnexpectedError extends HoldfastError {
  readonly code = "UNEXPECTED";
  readonly retryable = false;
}

/** Too many calls wait in this process already. */
export class OverloadedError extends HoldfastError {
  readonly code = "OVERLOADED";
  readonly retryable = true;
  /** The ids that are not stored, where `enqueueMany` was refused. */
  readonly ids: readonly string[];

  constructor(
    message: string,
    options?: HoldfastErrorOptions & { readonly ids?: readonly string[] },
  ) {
    super(message, options);
    this.ids = options?.ids ?? [];
  }
}

/** The queue or worker was closed before. */
export class ClosedError extends HoldfastError {
  readonly code = "CLOSED";
  readonly retryable = false;
}

/** An error as one line of at most `maxLength` characters, for storage in `errors`. */
export function describeError(error: unknown, maxLength: number): string {
  let text: string;
  try {
    text = error instanceof Error ? `${error.name}: ${error.message}` : describeValue(error);
  } catch {
    text = "an error that cannot be described"; // anything can be thrown, also what throws when read
  }
  return text.toWellFormed().slice(0, maxLength);
}

function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "symbol":
      return value === NOT_SHOWN ? "given" : String(value);
    case "object":
      if (value instanceof Date) {
        return `the date ${Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString()}`;
      }
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
    default:
      return String(value);
  }
}
