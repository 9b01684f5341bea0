/** A worker in a process of its own, told what to do by its argument and by messages. */
import { existsSync } from "node:fs";
import { Cluster } from "ioredis";
import { fixed, type Job, Queue, Worker } from "../../../src/index.ts";
import type { WorkerMessage, WorkerTask } from "./worker-task.ts";

const task = JSON.parse(process.argv[2]!) as WorkerTask;

/** Resolves when the message is on its way, so that the process may end. */
function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()));
}

let finish!: () => void;
const finished = new Promise<void>((resolve) => {
  finish = resolve;
});
process.on("message", finish);

function blockUntilFileExists(path: string): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(path)) Atomics.wait(cell, 0, 0, 5);
}

const cluster = typeof task.redis === "string" ? undefined : new Cluster([...task.redis]);
const connection = cluster ?? (task.redis as string);
const queue = new Queue<string>(task.queueName, { connection });
const worker = new Worker<string>(
  queue,
  async ({ id, attempt, fencingToken }: Job<string>) => {
    await tell({ kind: "started", id, attempt, fencingToken });
    switch (task.handler) {
      case "hold":
        return finished;
      case "exit":
        return process.exit(1);
      case "block":
        return blockUntilFileExists(task.file!);
    }
  },
  { ...task.options, backoff: fixed({ delayMs: task.backoffMs ?? 0 }) },
);
worker.on("completed", ({ job: { id } }) => void tell({ kind: "completed", id }));
worker.on("lease-lost", ({ id }) => void tell({ kind: "lease-lost", id }));
worker.on("stalled", () => void tell({ kind: "stalled" }));

process.once("SIGTERM", () => {
  void worker.close({ timeoutMs: 0 }).then(async (summary) => {
    await tell({ kind: "closed", summary });
    await queue.close();
    cluster?.disconnect();
    process.disconnect();
  });
});

await worker.start();
await tell({ kind: "ready" });
