/** How a delivery ends, and what its handler's error means for the job. */
import type { Backoff } from "./backoff.ts";
import { describeError, InvalidOptionError } from "./errors.ts";
import { MAX_DURATION_MS, MAX_ERROR_LENGTH } from "./limits.ts";
import { DeadLetter, isInstance, RetryLater } from "./signals.ts";

const UNKNOWN_BACKOFF_MS = 60_000;

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
export const RELEASE: Outcome = Object.freeze({
  kind: "retry",
  delayMs: 0,
  counts: false,
  error: "",
});

/** The outcome of an attempt whose handler threw. */
export function outcomeOfFailure(
  error: unknown,
  attempt: number,
  maxAttempts: number,
  backoff: Backoff,
): Outcome {
  if (isInstance(error, RetryLater)) {
    return { kind: "retry", delayMs: error.delayMs, counts: false, error: "" };
  }
  const described = describeError(error, MAX_ERROR_LENGTH);
  if (isInstance(error, DeadLetter)) {
    const reason = error.message.toWellFormed().slice(0, MAX_ERROR_LENGTH);
    return { kind: "bury", counts: true, reason: reason || "no reason given" };
  }
  if (attempt >= maxAttempts) {
    return { kind: "bury", counts: true, reason: described };
  }
  return { kind: "retry", delayMs: backoff(attempt, error), counts: true, error: described };
}

/**
 * The backoff, but always whole milliseconds that Redis can add to its clock. One of the user's own
 * that throws or answers with no number must not lose the job: it is reported, and the job waits a minute.
 */
export function guardBackoff(backoff: Backoff, report: (error: unknown) => void): Backoff {
  return (attempt, error) => {
    try {
      const delayMs = backoff(attempt, error);
      if (Number.isFinite(delayMs)) {
        return Math.round(Math.min(Math.max(delayMs, 0), MAX_DURATION_MS));
      }
      report(new InvalidOptionError("backoff's answer", delayMs, "a number of milliseconds"));
    } catch (cause) {
      const allowed = "a function that does not throw";
      report(new InvalidOptionError("backoff", backoff, allowed, { cause }));
    }
    return UNKNOWN_BACKOFF_MS;
  };
}
