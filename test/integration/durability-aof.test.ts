/** Enqueues that wait for append-only files, and the servers that cannot confirm. */
import type { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { Queue, type QueueOptions, RedisRefusedError, UnsafeRedisError } from "../../src/index.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { uniqueName } from "../helpers/redis.ts";
import { startReplicatedRedis } from "../helpers/replicated-redis.ts";

failOnLeaks();

const everySecond = ["--appendonly", "yes", "--appendfsync", "everysec"];

function open(connection: string, options: QueueOptions<string>): Queue<string> {
  const queue = new Queue<string>(uniqueName("durable"), { connection, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

/** Redis 7.0 has none. */
async function hasWaitAof(redis: Redis): Promise<boolean> {
  const [known] = (await redis.command("INFO", "WAITAOF")) as unknown[];
  return known !== null;
}

/** Either outcome, whichever server the tests run on. */
async function expectConfirmed(redis: Redis, enqueue: () => Promise<unknown>): Promise<boolean> {
  if (await hasWaitAof(redis)) {
    await enqueue();
    return true;
  }
  await expect(enqueue()).rejects.toThrow(RedisRefusedError);
  await expect(enqueue()).rejects.toThrow(/no WAITAOF, which Redis 7\.2 and Valkey 7\.2 brought/);
  return false;
}

test("the primary's disk and a replica's disk confirm; a server without WAITAOF stores nothing", async () => {
  const { primary, redis } = await startReplicatedRedis({ args: everySecond });
  const aof = { local: 1 as const, replicas: 1 };
  const queue = open(primary.url, { durability: { aof, timeoutMs: 10_000 } });
  const isConfirmed = await expectConfirmed(redis, () =>
    Promise.all(["x", "y"].map((id) => queue.enqueue(id, { id }))),
  );
  expect((await queue.stats()).totals.enqueued).toBe(isConfirmed ? 2 : 0);
});

test("a replica's disk that is not reached is counted", async () => {
  const { primary, redis, replicas } = await startReplicatedRedis({ args: everySecond });
  const queue = open(primary.url, { durability: { aof: { replicas: 1 }, timeoutMs: 2_500 } });
  await replicas[0]!.server.kill("SIGSTOP");
  if (await hasWaitAof(redis)) {
    await expect(queue.enqueue("x", { id: "x" })).rejects.toMatchObject({
      code: "DURABILITY",
      ids: ["x"],
      required: { local: 1, replicas: 1 },
      confirmed: { local: 1, replicas: 0 },
    });
    expect(await queue.get("x")).toBeDefined();
  } else {
    await expect(queue.enqueue("x", { id: "x" })).rejects.toThrow(RedisRefusedError);
  }
});

test("a primary without an append-only file is refused before anything is stored", async () => {
  const { primary, redis } = await startReplicatedRedis({ replicas: 0 });
  const queue = open(primary.url, { durability: { aof: { local: 1 }, timeoutMs: 10_000 } });
  const kind = (await hasWaitAof(redis)) ? UnsafeRedisError : RedisRefusedError;
  await expect(queue.enqueue("x", { id: "x" })).rejects.toThrow(kind);
  await expect(queue.enqueueMany([{ data: "x" }])).rejects.toThrow(/appendonly|WAITAOF/);
  expect((await queue.stats()).totals.enqueued).toBe(0);
  // Once it keeps one, the same queue is served.
  await redis.config("SET", "appendonly", "yes");
  await expectConfirmed(redis, () => queue.enqueue("x", { id: "x" }));
});

test("an append-only file that is turned off later is told as well", async () => {
  const { primary, redis } = await startReplicatedRedis({ replicas: 0, args: everySecond });
  const queue = open(primary.url, { durability: { aof: { local: 1 }, timeoutMs: 10_000 } });
  const isServed = await expectConfirmed(redis, () => queue.enqueue("x"));
  await redis.config("SET", "appendonly", "no");
  const kind = isServed ? UnsafeRedisError : RedisRefusedError;
  await expect(queue.enqueue("y", { id: "y" })).rejects.toThrow(kind);
  expect((await queue.get("y"))?.data).toBe(isServed ? "y" : undefined);
  // From then on nothing more is stored that cannot be confirmed.
  await expect(queue.enqueue("z", { id: "z" })).rejects.toThrow(kind);
  expect(await queue.get("z")).toBeUndefined();
});
