/**
 * Ids, names, headers, payloads and errors that would do harm if a script took them for code or a key for
 * structure. Each goes through the whole life of a job and stays what it is; nothing else is touched.
 */
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { fixed, InvalidOptionError, Queue, type QueueOptions } from "../../src/index.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { gate } from "../helpers/holdfast.ts";
import { HOSTILE_BLOBS, HOSTILE_TEXTS } from "../helpers/hostile.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis } from "../helpers/redis.ts";
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
beforeEach(() => redis.flushall());

failOnLeaks();

function queueOf<T = string>(name: string, options: QueueOptions<T> = {}): Queue<T> {
  const queue = new Queue<T>(name, { connection: server.url, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

/** The whole server: each key with its value. */
async function everything(): Promise<Map<string, string>> {
  const keys = (await redis.keysBuffer("*")).map(String).toSorted();
  const values = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
  return new Map(keys.map((key, index) => [key, values[index]!.toString("hex")]));
}

/** Jobs and keys that a mix-up would hit, in this queue and beside it. They must stay as they are. */
async function plantVictims(queueName: string): Promise<() => Promise<void>> {
  await redis.set("jobs", "a plain key");
  await redis.hset("holdfast:{victim}:jobs", "victim", "of another queue");
  await redis.set(`holdfast:{${queueName}}:`, "next to the keys of the queue");
  const before = await everything();
  return async () => {
    const after = await everything();
    const own = Object.values(queueKeys("holdfast", queueName));
    for (const key of own) after.delete(key);
    expect(after).toEqual(before);
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("polluted");
  };
}

describe("ids", () => {
  test("each is one job of its own through every station", { timeout: 60_000 }, async () => {
    const areUntouched = await plantVictims("queue");
    const queue = queueOf("queue");
    await queue.enqueue("victim", { id: "victim", delayMs: 600_000 });
    const results = await queue.enqueueMany(
      HOSTILE_TEXTS.map((id) => ({ data: id, id, delayMs: 600_000 })),
    );
    expect(results.map(({ id, status }) => [id, status])).toEqual(
      HOSTILE_TEXTS.map((id) => [id, "created"]),
    );
    expect(await queue.stats()).toMatchObject({ delayed: HOSTILE_TEXTS.length + 1 });
    for (const id of HOSTILE_TEXTS) await wholeLife(queue, id);
    expect(await queue.get("victim")).toMatchObject({ state: "delayed", failedAttempts: 0 });
    expect(await queue.stats()).toMatchObject({ delayed: 1, processing: 0, dead: 0 });
    expect(await redis.hkeys(queueKeys("holdfast", "queue").jobs)).toEqual(["victim"]);
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 1 });
    await areUntouched();
  });

  test("each is audited, and mended, as itself", async () => {
    const queue = queueOf("queue");
    await queue.enqueueMany(HOSTILE_TEXTS.map((id) => ({ data: id, id, delayMs: 600_000 })));
    const held = HOSTILE_TEXTS.filter((_, index) => index % 2 === 0);
    for (const id of held) await queue.reschedule(id, { runAt: 0 });
    const deliveries = await queue.claim({ max: 100 });
    expect(deliveries.map(({ id }) => id).toSorted()).toEqual(held.toSorted());
    const { delayed } = queueKeys("holdfast", "queue");
    const orphans = HOSTILE_TEXTS.filter((_, index) => index % 2 === 1);
    await redis.zrem(delayed, ...orphans);
    await redis.zadd(delayed, ...held.flatMap((id) => [1, id]));
    const { breaches } = await queue.verify({ repair: true });
    const found = (kind: string) =>
      breaches.filter((breach) => breach.kind === kind).map(({ id }) => id);
    expect(found("orphan").toSorted()).toEqual(orphans.toSorted());
    expect(found("double").toSorted()).toEqual(held.toSorted());
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: HOSTILE_TEXTS.length });
    expect(await Promise.all(deliveries.map((each) => each.ack()))).toEqual(held.map(() => "done"));
  });

  test.each(["", "x".repeat(129), "ü".repeat(65), "\uD800", "a\uDFFFb"])(
    "%j is none: refused before anything is sent",
    async (id) => {
      const queue = queueOf("queue");
      const calls: (() => Promise<unknown>)[] = [
        () => queue.enqueue("x", { id }),
        () => queue.get(id),
        () => queue.cancel(id),
        () => queue.reschedule(id, { delayMs: 1 }),
        () => queue.dead.redrive({ ids: [id] }),
      ];
      for (const call of calls) {
        await expect(call()).rejects.toThrow(InvalidOptionError);
      }
      expect(await redis.dbsize()).toBe(0);
    },
  );
});

/** Looked up, moved, held, refused, failed, extended, buried, redriven, purged, cancelled. */
async function wholeLife(queue: Queue<string>, id: string): Promise<void> {
  expect(await queue.enqueue("other", { id })).toMatchObject({ id, status: "duplicate" });
  expect(await queue.get(id)).toMatchObject({ id, data: id, state: "delayed" });
  expect(await queue.reschedule(id, { runAt: 0 })).toMatchObject({ status: "rescheduled" });
  const claim = async () => {
    const deliveries = await queue.claim({ max: 10 });
    expect(deliveries.map((each) => [each.id, each.data])).toEqual([[id, id]]);
    return deliveries[0]!;
  };
  let held = await claim();
  expect(await queue.cancel(id)).toBe("processing");
  await held.extend();
  expect(await held.nack({ error: new Error(id) })).toBe("done");
  held = await claim();
  expect(held.attempt).toBe(2);
  expect(await held.bury(id)).toBe("done");
  expect(await held.ack()).toBe("stale");
  const page = await queue.dead.list();
  expect(page.jobs).toMatchObject([{ id, data: id, lastError: id, failedAttempts: 2 }]);
  expect(await queue.dead.redrive({ ids: [id] })).toBe(1);
  held = await claim();
  expect(await held.ack()).toBe("done");
  expect(await queue.get(id)).toBeUndefined();
  await queue.enqueue(id, { id });
  await (await claim()).bury("again");
  const { cursor } = await queue.dead.list({ limit: 1 });
  expect(cursor).toMatch(/^\d+:/);
  expect((await queue.dead.list({ cursor })).jobs).toHaveLength(0);
  expect(await queue.dead.purge({ ids: [id] })).toBe(1);
  await queue.enqueue(id, { id, delayMs: 600_000 });
  expect(await queue.cancel(id)).toBe("cancelled");
}

describe("names of queues, and prefixes", () => {
  const allowed = HOSTILE_TEXTS.filter((text) => !/[{}]|\/\d+$/.test(text));

  test("each queue has its own keys, channel and wake-ups", { timeout: 60_000 }, async () => {
    for (const name of allowed) {
      await redis.flushall();
      const areUntouched = await plantVictims(name);
      const queue = queueOf(name);
      const { worker, seen, next } = watchedWorker(queue, () => undefined, {
        pollIntervalMs: 600_000,
      });
      await worker.start();
      await waitFor(() => worker.health().lastLookAgeMs !== undefined);
      const completed = next("completed");
      await queue.enqueue(name, { id: name });
      expect((await completed).job).toMatchObject({ id: name, data: name });
      await worker.close();
      await queue.close();
      expect(seen.error).toEqual([]);
      await areUntouched();
    }
  });

  test("each prefix has its own keys", async () => {
    const prefixes = allowed.filter((text) => Buffer.byteLength(text) <= 64);
    const queues = prefixes.map((prefix) => queueOf("queue", { prefix }));
    await Promise.all(
      queues.map((queue, index) => queue.enqueue(prefixes[index]!, { id: "same" })),
    );
    const seen = await Promise.all(queues.map((queue) => queue.get("same")));
    expect(seen.map((job) => job?.data)).toEqual(prefixes);
    expect(await redis.dbsize()).toBe(prefixes.length * 3);
  });

  test.each(HOSTILE_TEXTS.filter((text) => !allowed.includes(text)))(
    "%j could be taken for another queue, and is refused",
    (text) => {
      expect(() => new Queue(text)).toThrow(InvalidOptionError);
      if (/[{}]/.test(text)) {
        expect(() => new Queue("queue", { prefix: text })).toThrow(InvalidOptionError);
      }
    },
  );
});

describe("payloads, headers and errors", () => {
  test("arrive as they are, and are kept as they are", async () => {
    const areUntouched = await plantVictims("queue");
    const queue = queueOf("queue");
    const headers = (text: string) => ({ text, ["__proto__"]: text });
    const wellFormed = HOSTILE_BLOBS.filter((text) => text.isWellFormed());
    await queue.enqueueMany(
      wellFormed.map((data) => ({ data, headers: headers(data), maxAttempts: 1 })),
    );
    const { worker, seen } = watchedWorker<string>(
      queue,
      (job) => {
        expect(Object.entries(job.headers)).toEqual(Object.entries(headers(job.data)));
        throw new Error(job.data);
      },
      { backoff: fixed({ delayMs: 0 }) },
    );
    await worker.start();
    await waitFor(() => seen.dead.length === wellFormed.length);
    const { jobs } = await queue.dead.list({ limit: 100 });
    expect(jobs.map(({ data }) => data)).toEqual(wellFormed);
    for (const { data, lastError } of jobs) expect(lastError).toBe(`Error: ${data}`);
    await areUntouched();
  });

  test("half of a surrogate pair is told in JSON, and replaced in an error", async () => {
    const queue = queueOf("queue");
    await queue.enqueue("\uD800");
    const [held] = await queue.claim();
    expect(held!.data).toBe("\uD800"); // JSON writes it as \ud800
    await held!.nack({ error: new Error("\uD800"), delayMs: 600_000 });
    expect(await queue.get(held!.id)).toMatchObject({ lastError: "Error: \uFFFD" });
  });

  test("keys that name a prototype arrive as own data, and pollute nothing", async () => {
    const queue = queueOf<unknown>("queue");
    const text =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"a":[{"__proto__":3}]}';
    await queue.enqueue(JSON.parse(text), { id: "job" });
    const got = gate<unknown>();
    const { worker } = watchedWorker<unknown>(queue, (job) => got.resolve(job.data));
    await worker.start();
    const data = await got.promise;
    expect(JSON.stringify(data)).toBe(text);
    expect(Object.hasOwn(data as object, "__proto__")).toBe(true);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});
