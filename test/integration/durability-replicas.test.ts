/** Enqueues that wait for replicas, on a real primary with replicas: well, stopped, cut off and killed. */
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { DurabilityError, Queue, type QueueOptions } from "../../src/index.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { uniqueName } from "../helpers/redis.ts";
import { type ReplicatedRedis, startReplicatedRedis } from "../helpers/replicated-redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

/** Long for replicas that answer, short for those that do not. */
const timeoutMs = 1_000;

function open({ primary }: ReplicatedRedis, options: QueueOptions<string> = {}): Queue<string> {
  const queue = new Queue<string>(uniqueName("durable"), { connection: primary.url, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function waitCalls(redis: Redis): Promise<number> {
  const stats = await redis.info("commandstats");
  return Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

test("a replica that is well confirms, also what it had before", async () => {
  const redis = await startReplicatedRedis();
  const queue = open(redis, { durability: { replicas: 1, timeoutMs: 10_000 } });
  expect(await queue.enqueue("x", { id: "x" })).toMatchObject({ id: "x", status: "created" });
  expect(await queue.enqueue("x", { id: "x" })).toMatchObject({ id: "x", status: "duplicate" });
  // It has them, if the primary is gone this moment.
  await redis.primary.kill("SIGKILL");
  const promoted = await redis.replicas[0]!.promote();
  expect(await promoted.hkeys(`holdfast:{${queue.name}}:jobs`)).toEqual(["x"]);
});

test.each(["stopped", "cut off"] as const)(
  "a replica that is %s does not: the job is stored, and confirmed by a repeat",
  async (fault) => {
    const redis = await startReplicatedRedis({ replicas: 2 });
    const [replica] = redis.replicas;
    const queue = open(redis, { durability: { replicas: 2, timeoutMs } });
    await queue.enqueue("before", { durability: { replicas: 2, timeoutMs: 10_000 } });
    if (fault === "stopped") await replica!.server.kill("SIGSTOP");
    else replica!.link.blackHole(true);
    const error = await failureOf(queue.enqueue("x", { id: "x" }));
    expect(error).toBeInstanceOf(DurabilityError);
    expect(error).toMatchObject({
      ids: ["x"],
      required: { local: 0, replicas: 2 },
      confirmed: { local: 0, replicas: 1 },
      timeoutMs,
    });
    expect(await queue.get("x")).toMatchObject({ data: "x" });
    // Repeated in vain it is stored once.
    expect(await failureOf(queue.enqueue("x", { id: "x" }))).toBeInstanceOf(DurabilityError);
    // The one that is left is enough for those who ask for no more, and none for who does not ask.
    await queue.enqueue("one", { durability: { replicas: 1, timeoutMs: 10_000 } });
    await queue.enqueue("none", { durability: false });
    if (fault === "stopped") await replica!.server.kill("SIGCONT");
    else replica!.link.blackHole(false);
    const patient = { id: "x", durability: { replicas: 2, timeoutMs: 20_000 } };
    expect((await queue.enqueue("x", patient)).status).toBe("duplicate");
    expect((await queue.stats()).totals.enqueued).toBe(4);
  },
);

test("a replica that was killed and comes back confirms again", async () => {
  const redis = await startReplicatedRedis();
  const [replica] = redis.replicas;
  const queue = open(redis);
  const durability = { replicas: 1, timeoutMs };
  await replica!.server.kill("SIGKILL");
  const error = await failureOf(queue.enqueue("x", { id: "x", durability }));
  expect(error).toMatchObject({ code: "DURABILITY", confirmed: { replicas: 0 } });
  await replica!.server.restart();
  await waitFor(() =>
    queue.enqueue("x", { id: "x", durability }).then(
      ({ status }) => status === "duplicate",
      (again: unknown) => {
        expect(again).toBeInstanceOf(DurabilityError);
        return false;
      },
    ),
  );
});

test("a primary without replicas confirms nothing", async () => {
  const queue = open(await startReplicatedRedis({ replicas: 0 }));
  const error = await failureOf(queue.enqueue("x", { durability: { replicas: 1, timeoutMs: 50 } }));
  expect(error).toMatchObject({ code: "DURABILITY", confirmed: { local: 0, replicas: 0 } });
});

test("enqueueMany names the jobs that are not confirmed, and no others", async () => {
  const redis = await startReplicatedRedis();
  const queue = open(redis, { durability: { replicas: 1, timeoutMs } });
  await redis.replicas[0]!.server.kill("SIGSTOP");
  const ids = Array.from({ length: 450 }, (_, n) => `job-${n}`);
  const items = ids.map((id, n) =>
    n % 3 === 0 ? { data: id, id, durability: false as const } : { data: id, id },
  );
  const error = await failureOf(queue.enqueueMany(items));
  expect(error).toBeInstanceOf(DurabilityError);
  const { ids: named, message } = error as DurabilityError;
  expect(named).toEqual(ids.filter((_, n) => n % 3 !== 0));
  expect(message).toMatch(/^300 jobs/);
  expect((await queue.stats()).due).toBe(450);
  await redis.replicas[0]!.server.kill("SIGCONT");
  const again = await queue.enqueueMany(items.filter(({ id }) => named.includes(id)));
  expect(new Set(again.map(({ status }) => status))).toEqual(new Set(["duplicate"]));
  expect((await queue.stats()).totals.enqueued).toBe(450);
});

test("a thousand concurrent enqueues share a few waits", async () => {
  const redis = await startReplicatedRedis();
  const queue = open(redis, { durability: { replicas: 1, timeoutMs: 10_000 } });
  await queue.enqueue("first");
  const before = await waitCalls(redis.redis);
  const results = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => queue.enqueue(`${n}`, { id: `${n}` })),
  );
  expect(results.map(({ id }) => id)).toEqual(results.map((_, n) => `${n}`));
  expect((await waitCalls(redis.redis)) - before).toBeLessThanOrEqual(2);
  expect(await queue.stats()).toMatchObject({ due: 1_001, totals: { enqueued: 1_001 } });
});

test("jobs of different levels wait apart, those of one level together", async () => {
  const redis = await startReplicatedRedis();
  const queue = open(redis);
  const levels = [1, 2].map((replicas) => ({ replicas, timeoutMs }));
  const confirmed = { durability: levels[0]! };
  await queue.enqueue("first", confirmed);
  const before = await waitCalls(redis.redis);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 60 }, (_, n) => queue.enqueue(`${n}`, { durability: levels[n % 2]! })),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(
    outcomes.map((_, n) => (n % 2 === 0 ? "fulfilled" : "rejected")),
  );
  expect((await waitCalls(redis.redis)) - before).toBe(2);
});

test("one more connection, opened by the first enqueue that waits, closed with the queue", async () => {
  const redis = await startReplicatedRedis();
  const clients = async () =>
    String(await redis.redis.client("LIST", "TYPE", "NORMAL"))
      .trim()
      .split("\n").length;
  const alone = await clients();
  const queue = new Queue<string>(uniqueName("durable"), {
    connection: redis.primary.url,
    durability: { replicas: 1, timeoutMs: 10_000 },
  });
  await queue.enqueue("x", { durability: false });
  expect(await clients()).toBe(alone + 1);
  await Promise.all([queue.enqueue("y"), queue.enqueue("z")]);
  await queue.enqueueMany([{ data: "u" }]);
  expect(await clients()).toBe(alone + 2);
  await queue.close();
  await waitFor(async () => (await clients()) === alone);
});

test("a client of one's own stays open, and lends its place and rights to the other connection", async () => {
  const redis = await startReplicatedRedis();
  await redis.redis.config("SET", "requirepass", "secret");
  const own = new Redis(redis.primary.url, { password: "secret", keyPrefix: "app:" });
  onTestFinished(() => own.disconnect());
  await own.select(3);
  const queue = open(redis, { connection: own, durability: { replicas: 1, timeoutMs: 10_000 } });
  expect((await queue.enqueue("x", { id: "x" })).status).toBe("created");
  expect(await queue.get("x")).toBeDefined();
  await queue.close();
  expect(await own.hkeys(`holdfast:{${queue.name}}:jobs`)).toEqual(["x"]);
});

test("the shards of a queue wait side by side: those that come later run out of no time", async () => {
  const redis = await startReplicatedRedis({ replicas: 1 });
  const level = { replicas: 1, timeoutMs };
  const queue = open(redis, { shards: 8, durability: level, enqueueTimeoutMs: 1_000 });
  const ids = Array.from({ length: 100 }, (_, index) => `id-${index}`);
  await queue.enqueueMany(
    ids.map((id) => ({ data: id, id, durability: { replicas: 1, timeoutMs: 10_000 } })),
  );
  redis.replicas[0]!.link.blackHole(true);
  const failures = await Promise.all(ids.map((id) => failureOf(queue.enqueue("again", { id }))));
  for (const error of failures) {
    expect(error).toBeInstanceOf(DurabilityError);
  }
});
