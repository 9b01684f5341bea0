/** Small helpers for what must end well, also when it is broken off. */

/** For `await using`: runs the clean-up when its block is left, however it is left. */
export function onExit(cleanUp: () => unknown): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await cleanUp();
    },
  };
}

/** The promise's result, or a rejection with the signal's reason if that aborts first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}
