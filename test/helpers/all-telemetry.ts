/** A queue's life in which every span and every metric that holdfast has is emitted at least once. */
import { DeadLetter, fixed, observeQueue, type Queue, RetryLater } from "../../src/index.ts";
import { gate, testQueue } from "./holdfast.ts";
import { waitFor } from "./wait-for.ts";
import { watchedWorker } from "./watched-worker.ts";

const minuteMs = 60_000;
const byHand = { visibilityTimeoutMs: 30_000 };

/** Registers nothing: what listens must do so before. */
export async function emitEverything(): Promise<Queue<string>> {
  const { queue, passTime, redis, keys } = testQueue<string>();
  observeQueue(queue);
  await redis.set(keys.delayed, "no sorted set");
  await queue.enqueue("refused by Redis").catch(() => undefined);
  await redis.del(keys.delayed);
  await enqueueInAllWays(queue);

  // Each way to settle by hand, and a lease that expires.
  const deliveries = await queue.claim({ max: 3, ...byHand });
  await deliveries[0]!.ack();
  await deliveries[1]!.nack({ delayMs: minuteMs });
  await passTime(minuteMs);
  await queue.claim({ ...byHand });
  await deliveries[2]!.ack();

  await runInAllWays(queue, passTime);
  return queue;
}

async function enqueueInAllWays(queue: Queue<string>): Promise<void> {
  await queue.enqueueMany([{ data: "a" }, { data: "b" }]);
  const malformed = { traceparent: "00-not-a-trace" };
  await queue.enqueue("c", { headers: malformed });
  await queue.enqueue("later", { id: "later", delayMs: 10 * minuteMs });
  await queue.enqueue("later", { id: "later" });
  await queue.enqueue("refused", { delayMs: -1 }).catch(() => undefined);
}

/** Completed, retried, rejected, released, extended, and lost while it ran. */
async function runInAllWays(
  queue: Queue<string>,
  passTime: (ms: number) => Promise<void>,
): Promise<void> {
  const isHeld = gate();
  let isReleased = false;
  const { worker, next } = watchedWorker(
    queue,
    async (job, { signal }) => {
      if (job.data === "retried" && job.attempt === 1) throw new Error("once");
      if (job.data === "released" && !isReleased) {
        isReleased = true;
        throw new RetryLater({ delayMs: 10 });
      }
      if (job.data === "rejected") throw new DeadLetter("unwanted");
      if (job.data === "extended") await job.extend();
      if (job.data === "lost" && job.attempt === 1) {
        await passTime(minuteMs);
        const taken = await queue.claim({ waitMs: 2_000, max: 10, ...byHand });
        await job.extend().catch(() => undefined);
        await Promise.all(taken.map((delivery) => delivery.ack()));
      }
      if (job.data === "held") {
        isHeld.resolve();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        signal.throwIfAborted();
      }
    },
    { backoff: fixed({ delayMs: 10 }) },
  );
  const lost = next("lease-lost");
  await worker.start();
  await queue.enqueue("lost");
  await lost;
  for (const data of ["retried", "released", "rejected", "extended"]) await queue.enqueue(data);
  await waitFor(async () => {
    const { due, processing, totals } = await queue.stats();
    return due + processing === 0 && totals.retried >= 1 && isReleased;
  });
  await queue.enqueue("held");
  await isHeld.promise;
  await worker.close({ timeoutMs: 0 });
}
