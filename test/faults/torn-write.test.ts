/**
 * A crash in the middle of a write to the append-only file. Redis starts without the cut transaction, but
 * keeps its head in the file, and its next start runs that head (Redis 7.0 and 8, Valkey 8; not Valkey 9).
 * So what a script has written must harm no other job where only a part of it happens: see decision 0012.
 */
import { expect, onTestFinished, test } from "vitest";
import { Queue, Worker } from "../../src/index.ts";
import { queueKeys, type QueueKeys } from "../../src/core/store/keys.ts";
import { startServer } from "../../tools/redis/start-server.ts";
import { readCommands, tearTransaction } from "../helpers/append-only-file.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const visibilityTimeoutMs = 500;

interface Script {
  /** Has it run, on a queue where some jobs are due and "z" is delayed. */
  readonly run: (queue: Queue<string>) => Promise<unknown>;
  /** A write of no other script that has run. */
  readonly write: readonly [command: string, key: keyof QueueKeys];
  /** Whether the job that it was about may be gone: nobody was told of it, or its handler had finished. */
  readonly mayEndIt?: true;
  /** Life goes on: who had no answer asks again. */
  readonly repeat?: (queue: Queue<string>) => Promise<unknown>;
}

const enqueueOne = (queue: Queue<string>) => queue.enqueue("a", { id: "y" });

const scripts: Readonly<Record<string, Script>> = {
  enqueue: { run: enqueueOne, write: ["ZADD", "delayed"], repeat: enqueueOne },
  claim: { run: claim, write: ["ZADD", "processing"] },
  ack: {
    run: async (queue) => (await claim(queue)).ack(),
    write: ["HDEL", "jobs"],
    mayEndIt: true,
  },
  nack: {
    run: async (queue) => (await claim(queue)).nack({ error: "no", delayMs: 0 }),
    write: ["HSET", "errors"],
  },
  bury: { run: async (queue) => (await claim(queue)).bury("bad"), write: ["ZADD", "dead"] },
  redrive: {
    run: async (queue) => {
      await (await claim(queue)).bury("bad");
      await queue.dead.redrive({ ids: ["a"] });
    },
    write: ["HDEL", "errors"],
    repeat: (queue) => queue.dead.redrive({ ids: ["a"] }),
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
    repeat: (queue) => queue.resume(),
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

const cuts = [
  { place: "after its first write", commands: 1 },
  { place: "before the end of the transaction", commands: Number.POSITIVE_INFINITY },
];

test.each(
  Object.entries(scripts).flatMap(([name, script]) =>
    cuts.flatMap((cut) => [
      {
        name,
        script,
        ...cut,
        next: "nothing touches its jobs before the next start",
        lives: false,
      },
      { name, script, ...cut, next: "life goes on before the next start", lives: true },
    ]),
  ),
)("$name is cut $place, and $next: every job runs", async ({ script, commands, lives }) => {
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
  const done = new Set<string>();
  if (lives) {
    await script.repeat?.(queue);
    await workOff(queue, done);
  }
  // A whole transaction after the head that was left: only with its EXEC does the next start run that.
  await queue.enqueue("x", { id: "x", delayMs: 3_600_000 });
  await server.restart();

  const { breachCounts } = await queue.verify();
  expect(breachCounts).toMatchObject({ orphan: 0, malformed: 0 });
  await script.repeat?.(queue);
  await workOff(queue, done); // leases of the cut script expire
  await queue.verify({ repair: true });
  expect(await queue.verify()).toMatchObject({ isSound: true, breaches: [] });
  const dead = await queue.dead.list();
  const settled = [...done, ...dead.jobs.map(({ id }) => id)];
  expect(settled).toEqual(expect.arrayContaining(script.mayEndIt ? ["b", "c"] : ["a", "b", "c"]));
  expect(await queue.stats()).toMatchObject({ delayed: 2, due: 0, processing: 0 });
  expect((await queue.get("z"))?.state).toBe("delayed");
});

test.each([
  ["reschedule", (queue: Queue<string>) => queue.reschedule("z", { delayMs: 7_200_000 })],
  [
    "extend",
    async (queue: Queue<string>) => {
      const delivery = await claim(queue);
      await delivery.extend();
    },
  ],
])("%s writes one command, of which nothing can be cut", async (_, run) => {
  const server = await startServer({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  onTestFinished(() => server.stop());
  const queue = new Queue<string>(uniqueName("torn"), { connection: server.url });
  onTestFinished(() => queue.close());
  await queue.enqueueMany([
    { id: "a", data: "a" },
    { id: "z", data: "z", delayMs: 3_600_000 },
  ]);
  await run(queue);
  const [last] = (await readCommands(server)).slice(-1);
  expect(last!.words[0]).toBe("ZADD");
});
