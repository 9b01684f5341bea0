/** Metrics of what a queue holds, for one process to report. */
import { coreOf, type Queue } from "./queue.ts";

/** Reports a queue's depth until it is stopped. */
export interface QueueObserver extends Disposable {
  /**
   * Ends the reporting. Safe to repeat. An SDK with cumulative metrics may go on exporting the last values
   * until its process ends.
   */
  stop(): void;
}

/**
 * Reports `holdfast.queue.depth`, by state, and `holdfast.queue.oldest_due_age` through the queue's meter
 * provider: with each collection of metrics, one read of Redis for each of the queue's shards, given up after 2 s. Call it in one
 * process, for each process that does reports the same numbers again. It ends with `stop`, or when the queue is closed.
 *
 * @throws InvalidOptionError if that is no queue
 */
export function observeQueue(queue: Pick<Queue<never, unknown>, "name" | "stats">): QueueObserver {
  const gauges = coreOf(queue).telemetry.observe(() => queue.stats());
  return {
    stop: () => gauges.stop(),
    [Symbol.dispose]: () => gauges.stop(),
  };
}
