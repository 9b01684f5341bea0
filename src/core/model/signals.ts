/** What a handler throws to choose its job's way itself. */
import { checkDuration } from "./checks.ts";

/** `instanceof`, of anything that can be thrown: a revoked proxy makes the operator itself throw. */
export function isInstance<T>(
  value: unknown,
  type: abstract new (...args: never) => T,
): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** Thrown by a handler: bury the job at once, whatever attempts are left. */
export class DeadLetter extends Error {
  /**
   * @param reason stored with the dead letter, cut to 1,024 characters
   * @param options `cause`: the error behind it
   */
  constructor(reason: string, options?: { readonly cause?: unknown }) {
    super(reason, options);
    this.name = "DeadLetter";
  }
}

/** Thrown by a handler: give the job back to run again later, without counting an attempt. */
export class RetryLater extends Error {
  /** Milliseconds until the job is due again. */
  readonly delayMs: number;

  /**
   * @param options `delayMs`: milliseconds until the job is due again, 0 if not given; `reason`: for the log
   * @throws InvalidOptionError if `delayMs` is not a whole number of milliseconds
   */
  constructor(options: { readonly delayMs?: number; readonly reason?: string } = {}) {
    super(options.reason ?? "retry later");
    this.name = "RetryLater";
    this.delayMs = checkDuration("delayMs", options.delayMs ?? 0);
  }
}
