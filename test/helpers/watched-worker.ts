import { onTestFinished } from "vitest";
import { type Handler, Worker, type WorkerEventMap, type WorkerOptions } from "../../src/index.ts";

const names = [
  "completed",
  "retried",
  "dead",
  "lease-lost",
  "stalled",
  "drained",
  "error",
] as const;
type Name = (typeof names)[number];
type Seen<T> = { [N in Name]: WorkerEventMap<T>[N][0][] };

export interface WatchedWorker<T> {
  readonly worker: Worker<T>;
  /** All its events so far. */
  readonly seen: Seen<T>;
  /** The next event of this name. Errors do not matter to it, unlike to Node's `once`. */
  readonly next: <N extends Name>(name: N) => Promise<WorkerEventMap<T>[N][0]>;
  /** How often each event was seen, but for those that never were. */
  readonly counts: () => Partial<Record<Name, number>>;
}

/** A worker whose events are all noted. Not started; closed after the test without waiting for handlers. */
export function watchedWorker<T>(
  queue: ConstructorParameters<typeof Worker<T>>[0],
  handler: Handler<T>,
  options: WorkerOptions = {},
): WatchedWorker<T> {
  const worker = new Worker<T>(queue, handler, options);
  onTestFinished(async () => {
    await worker.close({ timeoutMs: 0 });
  });
  const seen = Object.fromEntries(names.map((name) => [name, [] as unknown[]]));
  for (const name of names) {
    worker.on(name, (event?: unknown) => seen[name]!.push(event));
  }
  return {
    worker,
    seen: seen as unknown as Seen<T>,
    next: (name) => new Promise((resolve) => worker.once(name, resolve as never)),
    counts: () =>
      Object.fromEntries(
        names.filter((name) => seen[name]!.length > 0).map((name) => [name, seen[name]!.length]),
      ),
  };
}
