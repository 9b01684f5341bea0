import type { Queue } from "../../src/index.ts";
import { waitFor } from "./wait-for.ts";

export interface Load {
  /** Each confirmed id, and when it was confirmed, on this process's clock. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** Enqueues that rejected. */
  readonly refused: readonly Error[];
  /** Resolves once so many more are confirmed. */
  grows(by: number): Promise<void>;
  /** Resolves when the enqueues under way have ended. */
  stop(): Promise<void>;
}

/** Callers of each producer, each with one enqueue under way at a time. */
const callers = 5;

/** Enqueues on all queues without a pause. What rejects is not repeated. */
export function startLoad(producers: readonly Queue<string>[]): Load {
  const acknowledged = new Map<string, number>();
  const refused: Error[] = [];
  const stopping = new AbortController();
  const work = async (queue: Queue<string>, name: string) => {
    for (let n = 0; !stopping.signal.aborted; n += 1) {
      const id = `${name}-${n}`;
      try {
        await queue.enqueue(id, { id });
        acknowledged.set(id, performance.now());
      } catch (error) {
        refused.push(error as Error);
      }
    }
  };
  const working = producers.flatMap((queue, producer) =>
    Array.from({ length: callers }, (_, caller) => work(queue, `p${producer}-c${caller}`)),
  );
  return {
    acknowledged,
    refused,
    grows: (by) => {
      const wanted = acknowledged.size + by;
      return waitFor(() => acknowledged.size >= wanted, { timeoutMs: 30_000 });
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(working);
    },
  };
}
