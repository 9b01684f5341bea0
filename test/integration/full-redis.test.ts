/** A Redis at its memory limit refuses new jobs with nothing written, and drains. */
import { inspect } from "node:util";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { DeadLetter, fixed, Queue, QueueFullError } from "../../src/index.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { gate } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startServer();
  redis = rawRedis(server.url);
  await redis.ping();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  await redis.config("SET", "maxmemory", "0");
  await redis.flushall();
});

failOnLeaks();

function open(): Queue<string> {
  const queue = new Queue<string>(uniqueName("full"), { connection: server.url });
  onTestFinished(() => queue.close());
  return queue;
}

/** From now on there is not a byte left. */
const fill = () => redis.config("SET", "maxmemory", "1");
const payload = "x".repeat(1_000);

test("enqueue rejects with nothing written, and works again once there is room", async () => {
  const queue = open();
  await queue.enqueue("first");
  await fill();
  const before = await queue.stats();
  const error = await queue.enqueue("the payload", { id: "refused" }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(QueueFullError);
  expect(error).toMatchObject({ code: "QUEUE_FULL", retryable: true });
  expect((error as Error).message).toMatch(/maxmemory/);
  // What a logger prints of it must not hold what may be personal data.
  expect(inspect(error, { depth: null, showHidden: true })).not.toContain("the payload");
  expect(await queue.get("refused")).toBeUndefined();
  expect({ ...(await queue.stats()), oldestDueAgeMs: 0 }).toEqual({ ...before, oldestDueAgeMs: 0 });
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 1 });
  await redis.config("SET", "maxmemory", "0");
  expect((await queue.enqueue("x", { id: "refused" })).status).toBe("created");
});

test("a first enqueue is refused like any other", async () => {
  const queue = open();
  await fill();
  await expect(queue.enqueue("x")).rejects.toThrow(QueueFullError);
  expect(await redis.dbsize()).toBe(0);
});

test("enqueueMany names all that are not stored, and repeating it stores each once", async () => {
  const queue = open();
  const items = Array.from({ length: 1_000 }, (_, n) => ({ data: payload, id: `job-${n}` }));
  const { used_memory: used } = Object.fromEntries(
    (await redis.info("memory")).split("\r\n").map((line) => line.split(":")),
  ) as { used_memory: string };
  await redis.config("SET", "maxmemory", String(Number(used) + 500_000));
  const error = (await queue.enqueueMany(items).then(
    () => undefined,
    (reason: unknown) => reason,
  )) as QueueFullError;
  expect(error).toBeInstanceOf(QueueFullError);
  expect(error.ids.length).toBeGreaterThan(0);
  const { due } = await queue.stats();
  expect(due).toBeGreaterThan(0);
  expect(due).toBe(1_000 - error.ids.length);
  for (const id of error.ids.slice(0, 20)) expect(await queue.get(id)).toBeUndefined();
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: due });
  await redis.config("SET", "maxmemory", "0");
  const again = await queue.enqueueMany(items);
  expect(again).toHaveLength(1_000);
  expect(await queue.stats()).toMatchObject({ due: 1_000, totals: { enqueued: 1_000 } });
});

test("workers drain all that is there, whatever their handlers answer", async () => {
  const queue = open();
  const kinds = ["ack", "throw", "bury", "extend"] as const;
  await queue.enqueueMany(
    Array.from({ length: 200 }, (_, n) => ({ data: kinds[n % 4]!, id: `job-${n}` })),
  );
  await fill();
  const { worker, seen } = watchedWorker(
    queue,
    async (job) => {
      if (job.data === "throw" && job.attempt < 3) throw new Error("not yet");
      if (job.data === "bury") throw new DeadLetter("bad");
      if (job.data === "extend") await job.extend();
    },
    { concurrency: 20, backoff: fixed({ delayMs: 0 }) },
  );
  await worker.start();
  await waitFor(() => seen.completed.length === 150 && seen.dead.length === 50);
  expect(seen.error).toEqual([]);
  expect(seen.retried).toHaveLength(100);

  // Each call of the administration works too.
  await queue.pause();
  await queue.resume();
  expect(await queue.dead.redrive({ ids: ["job-2"] })).toBe(1);
  await waitFor(() => seen.dead.length === 51);
  expect(await queue.dead.purge({ limit: 1_000 })).toBe(50);
  expect(await queue.verify({ repair: true })).toMatchObject({ isSound: true, jobs: 0 });
  expect((await queue.stats()).totals).toMatchObject({ enqueued: 200, completed: 150, purged: 50 });
  await worker.close();
  expect(seen.error).toEqual([]);
});

test("expired leases are given back, released jobs too", async () => {
  const queue = open();
  await queue.enqueueMany([{ data: "a" }, { data: "b" }]);
  expect(await queue.claim({ max: 1, visibilityTimeoutMs: 100 })).toHaveLength(1);
  await fill();
  const never = gate();
  const { worker } = watchedWorker(queue, () => never.promise, { visibilityTimeoutMs: 10_000 });
  await worker.start();
  await waitFor(() => worker.health().running === 2);
  expect(await worker.close({ timeoutMs: 0 })).toEqual({ finished: 0, released: 2, abandoned: 0 });
  const deliveries = await queue.claim({ max: 2 });
  expect(Object.fromEntries(deliveries.map(({ data, attempt }) => [data, attempt]))).toEqual({
    a: 2,
    b: 1,
  });
  for (const delivery of deliveries) expect(await delivery.ack()).toBe("done");
});
