/** The only place that reads a clock or starts a timer. Redis's clock alone decides about jobs. */

/** Node's timers overflow above this and would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface Timer {
  cancel(): void;
}

/** Milliseconds on a clock that never jumps: for deadlines within this process. */
export function monotonicNow(): number {
  return performance.now();
}

/**
 * Whole milliseconds since 1970 on this machine's clock: for display, never compared with a score. 0
 * for a clock that is before that, or broken.
 */
export function wallClockNow(): number {
  return Math.max(0, Math.trunc(Date.now())) || 0;
}

/** Calls back once after `delayMs`. */
export function startTimer(delayMs: number, callback: () => void): Timer {
  const timeout = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS));
  return { cancel: () => clearTimeout(timeout) };
}

/** The same, but it does not keep the process from ending. */
export function startBackgroundTimer(delayMs: number, callback: () => void): Timer {
  const timeout = setTimeout(callback, delayMs).unref();
  return { cancel: () => clearTimeout(timeout) };
}

/** Resolves once all that is ready to run by now has run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves after `delayMs`, or as soon as the signal aborts. */
export function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const finish = () => {
      timer.cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = startTimer(delayMs, finish);
    signal?.addEventListener("abort", finish);
  });
}

/** The promise's result, or a rejection with `timeoutError()` if it has none after `timeoutMs`. */
export async function withDeadline<T>(
  promise: Promise<T>,
  timeoutMs: number,
  timeoutError: () => Error,
): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = startTimer(timeoutMs, () => reject(timeoutError()));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer?.cancel();
  }
}

/** Whether the promise settled, either way, within `timeoutMs`. */
export async function settlesWithin(
  promise: Promise<unknown>,
  timeoutMs: number,
): Promise<boolean> {
  const late = new Error("late");
  return withDeadline(promise, timeoutMs, () => late).then(
    () => true,
    (error: unknown) => error !== late,
  );
}
