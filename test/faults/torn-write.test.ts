/**
 * A crash in the middle of a write to the append-only file. Redis starts without the cut transaction, but
 * keeps its head in the file, and its next start runs that head (Redis 7.0 and 8, Valkey 8; not Valkey 9).
 * So what a script has written must harm no other job where only a part of it happens: see decision 0012.
 */
import { expect, onTestFinished, test } from "vitest";
import { Queue, Worker } from "../../src/index.ts";
import { queueKeys, type QueueKeys } from "../../src/core/store/keys.ts";
import { startServer } from "../../tools/redis/start-server.ts";
import { tearTransaction } from "../helpers/append-only-file.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const visibilityTimeoutMs = 500;

interface Script {
  /** Has it run, on a queue where some jobs are due. */
  readonly run: (queue: Queue<string>) => Promise<unknown>;
  /** A write of no other script that has run. */
  readonly write: readonly [command: string, key: keyof QueueKeys];
}

const scripts: Readonly<Record<string, Script>> = {
  enqueue: { run: (queue) => queue.enqueue("a", { id: "y" }), write: ["ZADD", "delayed"] },
  claim: { run: claim, write: ["ZADD", "processing"] },
  ack: { run: async (queue) => (await claim(queue)).ack(), write: ["HDEL", "jobs"] },
  nack: {
    run: async (queue) => (await claim(queue)).nack({ error: "no", delayMs: 0 }),
    write: ["HSET", "errors"],
  },
  reap: {
    run: async (queue) => {
      await claim(queue);
      await queue.pause(); // so that the worker only reaps
      const worker = await startWorker(queue, () => undefined);
      await waitFor(async () => (await queue.stats()).totals.expired === 1);
      await worker.close();
      await queue.resume();
    },
    write: ["HSET", "errors"],
  },
};

async function claim(queue: Queue<string>) {
  const [delivery] = await queue.claim({ max: 1, visibilityTimeoutMs });
  return delivery!;
}

async function startWorker(
  queue: Queue<string>,
  handler: (job: { readonly id: string }) => void,
): Promise<Worker<string>> {
  const worker = new Worker(queue, handler, {
    concurrency: 1,
    pollIntervalMs: 50,
    visibilityTimeoutMs,
  });
  worker.on("error", () => undefined); // the restart
  onTestFinished(async () => {
    await worker.close({ timeoutMs: 0 });
  });
  await worker.start();
  return worker;
}

async function workOff(queue: Queue<string>, done: Set<string>): Promise<void> {
  const worker = await startWorker(queue, ({ id }) => void done.add(id));
  await waitFor(async () => {
    const { due, processing } = await queue.stats();
    return due === 0 && processing === 0;
  });
  await worker.close();
}

test.each(
  Object.entries(scripts).flatMap(([name, script]) => [
    { name, place: "after its first write", commands: 1, script },
    {
      name,
      place: "before the end of the transaction",
      commands: Number.POSITIVE_INFINITY,
      script,
    },
  ]),
)("of $name, $place, costs no job at later starts", async ({ script, commands }) => {
  const server = await startServer({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  onTestFinished(() => server.stop());
  const queue = new Queue<string>(uniqueName("torn"), { connection: server.url });
  onTestFinished(() => queue.close());
  const keys = queueKeys("holdfast", queue.name);
  await queue.enqueueMany([
    ...["a", "b", "c"].map((id) => ({ id, data: id })),
    { id: "z", data: "z", delayMs: 3_600_000 },
  ]);
  await script.run(queue);
  const [command, part] = script.write;
  await tearTransaction(server, commands, (transaction) =>
    transaction.some(([name, key]) => name!.toUpperCase() === command && key === keys[part]),
  );

  // Life goes on: who had no answer asks again, and what is due runs.
  if (script === scripts["enqueue"]) await script.run(queue);
  if (script === scripts["reap"]) await queue.resume();
  const done = new Set<string>();
  await workOff(queue, done);
  await server.restart();
  await workOff(queue, done); // a lease of the cut script expires
  expect(await queue.verify()).toMatchObject({ isSound: true, breaches: [], jobs: 1 });
  expect(await queue.stats()).toMatchObject({ delayed: 1, due: 0, processing: 0, dead: 0 });
  expect([...done].toSorted()).toEqual(expect.arrayContaining(["b", "c"]));
});
