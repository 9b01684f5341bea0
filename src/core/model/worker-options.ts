/** Options of a worker and of manual claims. */
import { type Backoff, exponential } from "./backoff.ts";
import { checkDuration, checkFunction, checkInteger, checkOptionNames } from "./checks.ts";
import { InvalidOptionError } from "./errors.ts";
import * as limits from "./limits.ts";

/** Options of a worker. One that is misspelt or unknown is refused. */
export interface WorkerOptions {
  /**
   * Handlers that run at the same time. Default 10. One that ignores its signal after
   * `handlerTimeoutMs` no longer counts, though it may still run.
   */
  readonly concurrency?: number;
  /**
   * How long a claim holds a job, in milliseconds, unless it is extended, which the worker does at a
   * third of it. After a crash, the job runs elsewhere at most this long plus a second later.
   * From 100 to 43,200,000 (12 hours). Default 30,000.
   */
  readonly visibilityTimeoutMs?: number;
  /** Longest time between two looks for due jobs, in milliseconds, 10 or more. Default 5,000. */
  readonly pollIntervalMs?: number;
  /** Jobs claimed ahead of free slots; they wait in this process, under a lease. Default 0. */
  readonly prefetch?: number;
  /** Failed attempts after which a job is buried, where the job has no limit of its own. Default 10. */
  readonly maxAttempts?: number;
  /** How long a failed job waits for its next attempt. Default `exponential()`. */
  readonly backoff?: Backoff;
  /** Milliseconds after which a handler's signal aborts and its attempt fails. Default: no limit. */
  readonly handlerTimeoutMs?: number;
}

export interface ResolvedWorkerOptions {
  readonly concurrency: number;
  readonly visibilityTimeoutMs: number;
  readonly pollIntervalMs: number;
  readonly prefetch: number;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly handlerTimeoutMs: number | undefined;
}

/** @throws InvalidOptionError naming the option, its value and what is allowed */
export function resolveWorkerOptions(options: WorkerOptions): ResolvedWorkerOptions {
  checkOptionNames("options", options, [
    "concurrency",
    "visibilityTimeoutMs",
    "pollIntervalMs",
    "prefetch",
    "maxAttempts",
    "backoff",
    "handlerTimeoutMs",
  ]);
  return Object.freeze({
    concurrency: checkInteger("concurrency", options.concurrency ?? 10, 1, limits.MAX_CONCURRENCY),
    visibilityTimeoutMs: checkVisibilityTimeout(options.visibilityTimeoutMs),
    pollIntervalMs: checkDuration(
      "pollIntervalMs",
      options.pollIntervalMs ?? 5_000,
      limits.MIN_POLL_INTERVAL_MS,
    ),
    prefetch: checkInteger("prefetch", options.prefetch ?? 0, 0, limits.MAX_CONCURRENCY),
    maxAttempts: checkMaxAttempts(options.maxAttempts ?? 10),
    backoff: checkFunction("backoff", options.backoff ?? exponential()),
    handlerTimeoutMs:
      options.handlerTimeoutMs === undefined
        ? undefined
        : checkDuration("handlerTimeoutMs", options.handlerTimeoutMs, 1),
  });
}

/** Options of a claim by hand. */
export interface ClaimOptions {
  /** Most jobs to take, 1 to 100. Default 1. */
  readonly max?: number;
  /** How long the claim holds each job, in milliseconds, unless extended. Default 30,000. */
  readonly visibilityTimeoutMs?: number;
  /** Longest time to wait for a first job, in milliseconds. Default 0: answer at once. */
  readonly waitMs?: number;
  /** Failed attempts after which a job is buried, where the job has no limit of its own. Default 10. */
  readonly maxAttempts?: number;
  /** Ends the wait early; the claim then resolves with what it has, which may be nothing. */
  readonly signal?: AbortSignal;
}

export interface ResolvedClaimOptions {
  readonly max: number;
  readonly visibilityTimeoutMs: number;
  readonly waitMs: number;
  readonly maxAttempts: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws InvalidOptionError naming the option, its value and what is allowed */
export function resolveClaimOptions(options: ClaimOptions): ResolvedClaimOptions {
  checkOptionNames("options", options, [
    "max",
    "visibilityTimeoutMs",
    "waitMs",
    "maxAttempts",
    "signal",
  ]);
  return {
    max: checkInteger("max", options.max ?? 1, 1, limits.CLAIM_BATCH_JOBS),
    visibilityTimeoutMs: checkVisibilityTimeout(options.visibilityTimeoutMs),
    waitMs: checkDuration("waitMs", options.waitMs ?? 0),
    maxAttempts: checkMaxAttempts(options.maxAttempts ?? 10),
    signal: options.signal === undefined ? undefined : checkSignal(options.signal),
  };
}

export function checkMaxAttempts(value: unknown): number {
  return checkInteger("maxAttempts", value, 1, limits.MAX_ATTEMPTS);
}

function checkSignal(signal: unknown): AbortSignal {
  if (!(signal instanceof AbortSignal)) {
    throw new InvalidOptionError("signal", signal, "an AbortSignal");
  }
  return signal;
}

function checkVisibilityTimeout(value: number | undefined): number {
  return checkDuration(
    "visibilityTimeoutMs",
    value ?? 30_000,
    limits.MIN_VISIBILITY_TIMEOUT_MS,
    limits.MAX_VISIBILITY_TIMEOUT_MS,
  );
}
