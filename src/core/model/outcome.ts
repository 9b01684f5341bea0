/** How a delivery ends, and what its handler's error means for the job. */
import type { Backoff } from "./backoff.ts";
import { describeError } from "./errors.ts";
import { MAX_DURATION_MS, MAX_ERROR_LENGTH } from "./limits.ts";
import { DeadLetter, RetryLater } from "./signals.ts";

export type Outcome =
  | { readonly kind: "ack" }
  | {
      readonly kind: "retry";
      readonly delayMs: number;
      /** Whether the attempt counts; a release does not. */
      readonly counts: boolean;
      readonly error: string;
    }
  | { readonly kind: "bury"; readonly counts: boolean; readonly reason: string };

export const ACK: Outcome = Object.freeze({ kind: "ack" });
/** Given back uncounted, to run elsewhere at once. */
export const RELEASE: Outcome = Object.freeze({ kind: "retry", delayMs: 0, counts: false, error: "" });

/** The outcome of an attempt whose handler threw. */
export function outcomeOfFailure(
  error: unknown,
  attempt: number,
  maxAttempts: number,
  backoff: Backoff,
): Outcome {
  if (error instanceof RetryLater) {
    return { kind: "retry", delayMs: error.delayMs, counts: false, error: "" };
  }
  const described = describeError(error, MAX_ERROR_LENGTH);
  if (error instanceof DeadLetter) {
    return { kind: "bury", counts: true, reason: error.message.toWellFormed().slice(0, MAX_ERROR_LENGTH) };
  }
  if (attempt >= maxAttempts) {
    return { kind: "bury", counts: true, reason: described };
  }
  return { kind: "retry", delayMs: backoffDelayMs(backoff, attempt, error), counts: true, error: described };
}

/**
 * The backoff's answer as whole milliseconds that Redis can add to its clock. A backoff of the user's
 * own that throws, or answers with no number, must not lose the job: it then waits a minute.
 */
export function backoffDelayMs(backoff: Backoff, attempt: number, error?: unknown): number {
  let delayMs: number;
  try {
    delayMs = backoff(attempt, error);
  } catch {
    delayMs = Number.NaN;
  }
  return Number.isFinite(delayMs) ? Math.round(Math.min(Math.max(delayMs, 0), MAX_DURATION_MS)) : 60_000;
}
