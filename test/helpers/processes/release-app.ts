/**
 * An application built on one release of holdfast: it enqueues jobs without end and works on those that
 * it gets. The message "settle down" ends the first, SIGTERM both.
 */
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type * as holdfast from "../../../src/index.ts";
import type { ReleaseAppMessage, ReleaseAppTask } from "./release-app-task.ts";

const task = JSON.parse(process.argv[2]!) as ReleaseAppTask;
const entry = pathToFileURL(join(task.release, "index.js")).href;
const { Queue, Worker } = (await import(entry)) as typeof holdfast;

const batchJobs = 10;
const betweenBatchesMs = 20;
const settleDown = new AbortController();
const tell = (message: ReleaseAppMessage) => void process.send?.(message);
const tellFailure = (error: unknown) => tell({ kind: "failed", error: String(error) });

const queue = new Queue<number>(task.queueName, { connection: task.url });
const worker = new Worker<number>(
  queue,
  async ({ id, fencingToken }, { signal }) => {
    if (id === task.holds) {
      tell({ kind: "started", id, fencingToken });
      await once(signal, "abort");
      signal.throwIfAborted();
    }
  },
  { visibilityTimeoutMs: task.visibilityTimeoutMs ?? 30_000 },
);
worker.on("completed", ({ job: { id, attempt } }) => tell({ kind: "completed", id, attempt }));
worker.on("lease-lost", ({ id }) => tellFailure(`lost the lease of ${id}`));
worker.on("error", tellFailure);

/** Some are due at once, some a little later. */
async function produce(): Promise<void> {
  for (let n = 0; !settleDown.signal.aborted; n += batchJobs) {
    const items = Array.from({ length: batchJobs }, (_, at) => ({
      id: `${task.name}-${n + at}`,
      data: n + at,
      delayMs: at * 10,
    }));
    await queue.enqueueMany(items);
    tell({ kind: "enqueued", ids: items.map(({ id }) => id) });
    await pause(betweenBatchesMs);
  }
  tell({ kind: "produced" });
}

process.once("message", () => settleDown.abort());
process.once("SIGTERM", () => {
  settleDown.abort();
  void producing
    .then(() => worker.close({ timeoutMs: 100 }))
    .then(async (summary) => {
      await queue.close();
      tell({ kind: "closed", summary });
      process.disconnect();
    });
});
await worker.start();
const producing = produce().catch(tellFailure);
