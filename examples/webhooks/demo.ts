/**
 * Webhook delivery by workers that die: 2,000 deliveries due over ten seconds, three worker processes,
 * a receiver that fails one call in five. One worker is killed with jobs in hand, another is told to
 * stop. In the end everything must have been delivered. Start it with `npm run demo`.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import type { NewJobItem, Queue } from "holdfast";
import { findRedis } from "../../tools/redis/find-redis.ts";
import { onExit, unlessAborted } from "../shared/clean-up.ts";
import { removeKeys } from "../shared/remove-keys.ts";
import { openWebhookQueue, type Webhook } from "./queue.ts";
import { Receiver } from "./receiver.ts";
import { type Report, report } from "./report.ts";
import { playScene } from "./scene.ts";
import { seededFraction } from "./seeded-choice.ts";
import { WorkerProcess } from "./worker-process.ts";

const DELIVERIES = 2_000;
const SPREAD_MS = 10_000;
const WORKER_NAMES = ["worker-1", "worker-2", "worker-3"];
const TIME_LIMIT_MS = 36_000;

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    process.exitCode = 128 + constants.signals[name];
    stop.abort(new Error(`stopped by ${name}`));
  });
}
try {
  const { text, isGood } = await runDemo();
  console.log(`\n${text}\n\n${isGood ? "Nothing was lost." : "The demo failed, see above."}`);
  process.exitCode ??= isGood ? 0 : 1;
} catch (error) {
  console.error("The demo failed:", stop.signal.aborted ? stop.signal.reason.message : error);
  // What was still starting up ends with the process.
  process.exit(process.exitCode ?? 1);
}

async function runDemo(): Promise<Report> {
  const { signal } = stop;
  const redis = await unlessAborted(findRedis({ prefer: "local" }), signal);
  await using _redis = onExit(() => redis.stop());
  using _timeLimit = setTimeout(() => {
    stop.abort(new Error(`not finished after ${TIME_LIMIT_MS} ms`));
  }, TIME_LIMIT_MS);

  // A prefix of its own: whatever else this Redis holds is left alone.
  const prefix = `holdfast-demo-${randomBytes(6).toString("hex")}`;
  await using _keys = onExit(() => removeKeys(redis.url, prefix));
  await using queue = openWebhookQueue(redis.url, prefix);
  await using receiver = new Receiver();
  await receiver.listen();

  const environment = { REDIS_URL: redis.url, QUEUE_PREFIX: prefix };
  const workers = WORKER_NAMES.map(
    (name) => new WorkerProcess(name, environment, (error) => stop.abort(error)),
  );
  await using _workers = onExit(() => Promise.all(workers.map((worker) => worker.kill())));
  await unlessAborted(Promise.all(workers.map((worker) => worker.started)), signal);

  const jobs = await queue.enqueueMany(newDeliveries(receiver.url));
  const fates = await playScene({ queue, receiver, workers, deliveries: jobs.length }, signal);
  await Promise.all(
    workers.filter((worker) => worker.isRunning).map((worker) => worker.terminate()),
  );

  const enqueuedIds = jobs.map(({ id }) => id);
  const undeliveredIds = enqueuedIds.filter((id) => !receiver.acceptedIds.has(id));
  return report({
    ...fates,
    enqueuedIds,
    calls: receiver.calls,
    lostIds: await findUnknown(queue, undeliveredIds),
    stats: await queue.stats(),
    verification: await queue.verify(),
  });
}

function newDeliveries(url: string): NewJobItem<Webhook>[] {
  return Array.from({ length: DELIVERIES }, (_, index) => {
    const id = `order-${index + 1}`;
    return {
      id,
      data: { url, event: { type: "order.shipped", data: { order: index + 1 } } },
      delayMs: Math.floor(seededFraction("delay", id) * SPREAD_MS),
    };
  });
}

/** Those of the jobs that the queue does not know. */
async function findUnknown(queue: Queue<Webhook>, ids: readonly string[]): Promise<string[]> {
  const jobs = await Promise.all(ids.map((id) => queue.get(id)));
  return ids.filter((_, index) => jobs[index] === undefined);
}
