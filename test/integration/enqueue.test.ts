import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { ENQUEUE_BATCH_JOBS } from "../../src/core/model/limits.ts";
import { InvalidOptionError, PayloadError, Queue } from "../../src/index.ts";
import { startServer } from "../../tools/redis/start-server.ts";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis } from "../helpers/redis.ts";

failOnLeaks();

describe("enqueue", () => {
  test("stores a job that is due at once, later, or at a moment", async () => {
    const { queue } = testQueue<string>();
    const before = Date.now();
    const now = await queue.enqueue("now");
    const later = await queue.enqueue("later", { delayMs: 60_000, id: "later" });
    const runAt = new Date(before + 3_600_000);
    const moment = await queue.enqueue("moment", { runAt, maxAttempts: 3, headers: { a: "b" } });

    expect(now.status).toBe("created");
    expect(now.dueAt!.getTime()).toBeGreaterThanOrEqual(before - 1);
    expect(later).toMatchObject({ id: "later", status: "created" });
    expect(later.dueAt!.getTime()).toBeGreaterThanOrEqual(before + 59_999);
    expect(moment.dueAt).toEqual(runAt);
    expect(await queue.stats()).toMatchObject({ delayed: 2, due: 1, totals: { enqueued: 3 } });
    expect(await queue.get(moment.id)).toMatchObject({
      state: "delayed",
      data: "moment",
      dueAt: runAt,
      maxAttempts: 3,
      headers: { a: "b" },
      failedAttempts: 0,
    });
  });

  test("leaves a job whose id is taken as it is, and says when it is due", async () => {
    const { queue, passTime } = testQueue<string>();
    const first = await queue.enqueue("first", { id: "same", delayMs: 60_000 });
    const second = await queue.enqueue("second", { id: "same" });
    expect(second).toEqual({ id: "same", status: "duplicate", dueAt: first.dueAt });
    expect(await queue.get("same")).toMatchObject({ data: "first" });

    await passTime(60_001);
    const [delivery] = await queue.claim();
    expect(await queue.enqueue("third", { id: "same" })).toEqual({
      id: "same",
      status: "duplicate",
      dueAt: undefined,
    });
    await delivery!.ack();
    expect(await queue.enqueue("fourth", { id: "same" })).toMatchObject({ status: "created" });
  });

  test("the same id twice at the same time is one job", async () => {
    const { queue } = testQueue<number>();
    const results = await Promise.all([1, 2, 3].map((n) => queue.enqueue(n, { id: "same" })));
    expect(results.map(({ status }) => status)).toEqual(["created", "duplicate", "duplicate"]);
    expect(await queue.get("same")).toMatchObject({ data: 1 });
  });

  test("many at once travel in few calls", async () => {
    const server = await startServer(); // of its own: no other calls are counted
    onTestFinished(() => server.stop());
    const redis = rawRedis(server.url);
    await using queue = new Queue<number>("few calls", { connection: server.url });
    await queue.enqueue(0);
    const calls = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1]);
    const before = await calls();
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => queue.enqueue(n)));
    expect((await calls()) - before).toBe(1_000 / ENQUEUE_BATCH_JOBS);
    expect((await queue.stats()).due).toBe(1_001);
  });

  test("enqueueMany answers in order", async () => {
    const { queue } = testQueue<number>();
    const items = Array.from({ length: 1_234 }, (_, n) => ({
      data: n,
      id: `job-${n}`,
      delayMs: n,
    }));
    const results = await queue.enqueueMany([...items, { data: 0, id: "job-7" }]);
    expect(results.map(({ id }) => id)).toEqual([...items.map(({ id }) => id), "job-7"]);
    expect(results.at(-1)!.status).toBe("duplicate");
    expect((await queue.stats()).totals.enqueued).toBe(1_234);
    expect(await queue.enqueueMany([])).toEqual([]);
  });
});

describe("bad input is refused with nothing sent", () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;

  test.each([
    [{ delayMs: -1 }, "delayMs is -1, but must be whole milliseconds from 0"],
    [{ delayMs: Number.NaN }, "delayMs is NaN"],
    [{ delayMs: 1.5 }, "delayMs is 1.5"],
    [{ delayMs: "5" as never }, 'delayMs is "5"'],
    [{ delayMs: Number.POSITIVE_INFINITY }, "delayMs is Infinity"],
    [{ runAt: 2 ** 53 }, "runAt is 9007199254740992"],
    [{ runAt: new Date(Number.NaN) }, "runAt is the date Invalid Date"],
    [{ runAt: -1 }, "runAt is -1"],
    [{ delayMs: 1, runAt: 5 }, "a job has one due time"],
    [{ id: "" }, 'id is ""'],
    [{ id: "x".repeat(129) }, "1 to 128 bytes"],
    [{ id: "ü".repeat(65) }, "1 to 128 bytes"],
    [{ id: "\ud800" }, "valid Unicode"],
    [{ id: 7 as never }, "id is 7"],
    [{ maxAttempts: 0 }, "maxAttempts is 0"],
    [{ headers: { "a b": "c" } }, "visible ASCII"],
    [{ headers: { a: 1 as never } }, "a string of valid Unicode"],
    [{ headers: { a: "x".repeat(9_000) } }, "8192 bytes"],
    [{ headers: [] as never }, "an object of strings"],
    [{ delay: 5 } as never, "options.delay is 5, but must be left out"],
  ])("%j", async (options, message) => {
    const { queue } = testQueue<string>();
    await expect(queue.enqueue("x", options)).rejects.toThrow(InvalidOptionError);
    await expect(queue.enqueue("x", options)).rejects.toThrow(message);
    const many = [{ data: "y" }, { data: "x", ...options }];
    await expect(queue.enqueueMany(many)).rejects.toThrow(InvalidOptionError);
    expect(await queue.stats()).toMatchObject({ due: 0, delayed: 0, totals: { enqueued: 0 } });
  });

  test.each([65, 10_000])("%d headers", async (count) => {
    const { queue } = testQueue<string>();
    const names = Array.from({ length: count }, (_, index) => [`h${index}`, ""]);
    const headers = Object.fromEntries(names) as Record<string, string>;
    const refused = await queue.enqueue("x", { headers }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidOptionError);
    expect((refused as Error).message).toContain(`headers is "${count} entries`);
    expect((await queue.stats()).due).toBe(0);
  });

  test("headers that grow after they were checked are stored as they were", async () => {
    const headers: Record<string, string> = { a: "b" };
    const validate = async (value: unknown) => {
      await Promise.resolve();
      headers["a b"] = "x".repeat(100_000);
      return { value };
    };
    const { queue } = testQueue({
      schema: { "~standard": { version: 1 as const, vendor: "test", validate } },
    });
    await queue.enqueue("x", { id: "x", headers });
    expect((await queue.get("x"))?.headers).toEqual({ a: "b" });
  });

  test.each([
    ["a cycle", cyclic],
    ["a BigInt", { n: 1n }],
    ["undefined", undefined],
    ["a function", () => 1],
  ])("%s", async (_, data) => {
    const { queue } = testQueue();
    await expect(queue.enqueue(data)).rejects.toThrow(PayloadError);
    await expect(queue.enqueueMany([{ data: "good" }, { data }])).rejects.toThrow(PayloadError);
    expect((await queue.stats()).due).toBe(0);
  });

  test("options and items that are none", async () => {
    const { queue } = testQueue<string>();
    await expect(queue.enqueue("x", null as never)).rejects.toThrow("options is null");
    await expect(queue.enqueueMany("x" as never)).rejects.toThrow('items is "x"');
  });

  test("a payload over the limit, by bytes", async () => {
    const { queue } = testQueue<string>({ maxPayloadBytes: 10 });
    await expect(queue.enqueue("üüüüü")).rejects.toThrow("the payload has 12 bytes");
    expect(await queue.enqueue("12345678")).toMatchObject({ status: "created" });
  });

  test("a payload that fails the schema", async () => {
    const schema = z.object({ to: z.email(), tags: z.array(z.string()) });
    const { queue } = testQueue({ schema });
    const bad = { to: "nobody", tags: [1] } as never;
    await expect(queue.enqueue(bad)).rejects.toThrow(PayloadError);
    await expect(queue.enqueue(bad)).rejects.toThrow(/to: .*; tags\.0: /);
    expect((await queue.stats()).due).toBe(0);
  });
});

describe("a queue's own options", () => {
  test.each([
    ["", {}, 'name is ""'],
    ["x".repeat(129), {}, "1 to 128 bytes"],
    ["a{b", {}, "without { and }"],
    ["a}b", {}, "without { and }"],
    ["a/0", {}, "a slash and a number"],
    ["a", { prefix: "" }, 'prefix is ""'],
    ["a", { prefix: "{" }, "without { and }"],
    ["a", { connection: "localhost:6379" }, "redis:// or rediss://"],
    ["a", { connection: 5 as never }, "connection is 5"],
    ["a", { schema: {} as never }, "a Standard Schema"],
    ["a", { codec: { encode: 1, decode: 2 } as never }, "codec.encode is 1"],
    ["a", { maxPayloadBytes: 0 }, "maxPayloadBytes is 0"],
    ["a", { enqueueTimeoutMs: 0 }, "enqueueTimeoutMs is 0"],
    ["a", { wakeups: "yes" as never }, 'wakeups is "yes"'],
    ["a", { shard: 2 } as never, "options.shard is 2, but must be left out"],
    ["a", { shards: 0 }, "shards is 0, but must be a whole number from 1 to 256"],
    ["a", { shards: 257 }, "shards is 257, but must be a whole number from 1 to 256"],
    ["a", { shards: 1.5 }, "shards is 1.5, but must be a whole number from 1 to 256"],
  ])("%j %j", (name, options, message) => {
    expect(() => new Queue(name, options)).toThrow(InvalidOptionError);
    expect(() => new Queue(name, options)).toThrow(message);
  });

  test("a password in a bad URL is not shown", () => {
    const bad = "http://user:secret@localhost";
    expect(() => new Queue("a", { connection: bad })).toThrow(/^(?!.*secret)/);
  });
});

test("a binary codec keeps every byte", async () => {
  const codec = {
    binary: true as const,
    encode: (data: unknown) => Buffer.from(data as number[]),
    decode: (payload: Uint8Array) => [...payload],
  };
  const { queue } = testQueue<number[]>({ codec });
  const bytes = Array.from({ length: 256 }, (_, n) => n);
  const { id } = await queue.enqueue(bytes, { id: "üñí", headers: { a: "b" } });
  expect(await queue.get(id)).toMatchObject({ id: "üñí", data: bytes, headers: { a: "b" } });
  const [delivery] = await queue.claim();
  expect(delivery).toMatchObject({ id: "üñí", data: bytes });
  expect(await delivery!.ack()).toBe("done");
});
