/** How long a failed job waits before it runs again. */
import { checkDuration, checkOneOf, checkOptionNames } from "./checks.ts";

/**
 * Milliseconds until the next attempt.
 *
 * @param attempt the attempt that failed, counted from 1
 * @param error what the handler threw; a `LeaseLostError` after an expired lease
 */
export type Backoff = (attempt: number, error: unknown) => number;

const JITTERS = ["full", "equal", "none"] as const;

/** How `exponential` grows. */
export interface ExponentialOptions {
  /** Ceiling after the first failure, in milliseconds. It doubles with each further one. Default 1,000. */
  readonly baseMs?: number;
  /** The ceiling grows no further than this, in milliseconds. Default 900,000 (15 minutes). */
  readonly maxMs?: number;
  /**
   * `"full"` (default) draws evenly between 0 and the ceiling, `"equal"` between half of it and all of
   * it, `"none"` takes the ceiling itself. After "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
   */
  readonly jitter?: (typeof JITTERS)[number];
}

/**
 * Exponential backoff: the ceiling is `min(maxMs, baseMs * 2^(attempt - 1))`.
 *
 * @throws InvalidOptionError if an option has a value that is not allowed
 */
export function exponential(options: ExponentialOptions = {}): Backoff {
  checkOptionNames("exponential", options, ["baseMs", "maxMs", "jitter"]);
  const baseMs = checkDuration("baseMs", options.baseMs ?? 1_000);
  const maxMs = checkDuration("maxMs", options.maxMs ?? 15 * 60_000);
  const jitter = checkOneOf("jitter", options.jitter ?? "full", JITTERS);
  const certain = { full: 0, equal: 0.5, none: 1 }[jitter];
  return (attempt) => {
    const ceilingMs = Math.min(maxMs, baseMs * 2 ** (attempt - 1));
    return Math.round(ceilingMs * (certain + (1 - certain) * Math.random()));
  };
}

/**
 * The same wait after every failure.
 *
 * @throws InvalidOptionError if `delayMs` is not a whole number of milliseconds
 */
export function fixed(options: { readonly delayMs: number }): Backoff {
  checkOptionNames("fixed", options, ["delayMs"]);
  const delayMs = checkDuration("delayMs", options.delayMs);
  return () => delayMs;
}
