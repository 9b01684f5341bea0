/** Callers, clients and handlers that do what one would not expect. */
import { once } from "node:events";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { fixed, LeaseLostError, OverloadedError, Queue, Worker } from "../../src/index.ts";
import { REPLY_BYTES } from "../../src/core/model/limits.ts";
import { gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testRedisUrl, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

test("a second call with the same id and content is a duplicate, however soon it comes", async () => {
  const { queue } = testQueue<string>();
  for (let n = 0; n < 50; n += 1) {
    const id = `job-${n}`;
    expect((await queue.enqueue("x", { id })).status).toBe("created");
    expect((await queue.enqueue("x", { id, delayMs: 60_000 })).status).toBe("duplicate");
  }
});

test("more than fits into memory at a time is sent in slices", { timeout: 180_000 }, async () => {
  const { queue } = testQueue<string>({ enqueueTimeoutMs: 60_000 });
  const data = "x".repeat(1_000_000);
  const results = await queue.enqueueMany(Array.from({ length: 275 }, () => ({ data })));
  expect(results).toHaveLength(275);
  expect((await queue.stats()).due).toBe(275);
});

test("claims of large jobs are cut by bytes, and get all of them in the end", async () => {
  const { queue } = testQueue<string>();
  const data = "x".repeat(REPLY_BYTES / 4);
  await queue.enqueueMany(Array.from({ length: 10 }, () => ({ data })));
  const counts: number[] = [];
  while (counts.reduce((sum, count) => sum + count, 0) < 10) {
    counts.push((await queue.claim({ max: 100, visibilityTimeoutMs: 600_000 })).length);
  }
  expect(counts).toEqual([4, 4, 2]);
});

test("too many calls at a time are refused, by id", { timeout: 180_000 }, async () => {
  const { queue } = testQueue<string>({ enqueueTimeoutMs: 60_000 });
  const data = "x".repeat(900_000);
  const many = Array.from({ length: 16 }, () =>
    queue.enqueueMany(Array.from({ length: 20 }, () => ({ data }))),
  );
  const settled = await Promise.allSettled(many);
  const refused = settled.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
  expect(refused.every((error) => error instanceof OverloadedError)).toBe(true);
  expect(refused.every((error) => (error as OverloadedError).ids.length > 0)).toBe(true);
  const { due } = await queue.stats();
  const unstored = refused.flatMap((error) => (error as OverloadedError).ids);
  expect(unstored.length).toBeGreaterThan(0);
  expect(due + unstored.length).toBe(320);
});

test("a client that answers numbers as strings", async () => {
  const client = new Redis(testRedisUrl(), { stringNumbers: true, disconnectTimeout: 100 });
  onTestFinished(() => client.disconnect());
  const { queue } = testQueue<string>({ connection: client });
  expect((await queue.enqueue("x")).status).toBe("created");
  const [delivery] = await queue.claim();
  await delivery!.extend();
  expect(delivery).toMatchObject({ data: "x", attempt: 1 });
  expect(await delivery!.ack()).toBe("done");
  expect((await queue.stats()).totals).toMatchObject({ enqueued: 1, completed: 1 });
});

test("many queues on one client raise no warning", async () => {
  const client = new Redis(testRedisUrl(), { disconnectTimeout: 100 });
  onTestFinished(() => client.disconnect());
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on("warning", listen);
  const queues = Array.from(
    { length: 30 },
    () => new Queue(uniqueName("many"), { connection: client }),
  );
  await Promise.all(queues.map((queue) => queue.stats()));
  await Promise.all(queues.map((queue) => queue.close()));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", listen);
  expect(warnings).toEqual([]);
});

test.each([
  ["whose message is no text", Object.assign(new Error("x"), { message: Symbol("odd") })],
  [
    "whose message throws",
    Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("unreadable");
      },
    }),
  ],
  ["that is no error", Object.create(null) as unknown],
])("an error %s fails the attempt like any other", async (_, thrown) => {
  const { queue } = testQueue<string>();
  await queue.enqueue("x");
  const worker = await testWorker(queue, () => Promise.reject(thrown as Error), { maxAttempts: 1 });
  await once(worker, "dead");
  expect(worker.health().running).toBe(0);
});

test("a listener that rejects is a warning, and no more", async () => {
  const { queue } = testQueue<string>();
  const worker = await testWorker(queue, () => undefined);
  const rejecting = (): unknown => Promise.reject(new Error("late"));
  worker.on("completed", rejecting as () => void);
  const warning = once(process, "warning");
  await queue.enqueue("x");
  expect(((await warning) as [Error])[0].message).toContain(
    'the event "completed" threw Error: late',
  );
});

test("extending by hand after the handler's time is up tells that the job is gone", async () => {
  const { queue } = testQueue<string>();
  await queue.enqueue("x");
  const extended = gate<unknown>();
  const worker = await testWorker(
    queue,
    async (job, { signal }) => {
      if (job.attempt > 1) return;
      await once(signal, "abort");
      await waitFor(async () => (await queue.stats()).totals.retried === 1);
      await job.extend().then(() => extended.resolve("extended"), extended.resolve);
    },
    { handlerTimeoutMs: 30, backoff: fixed({ delayMs: 60_000 }) },
  );
  await once(worker, "retried");
  expect(await extended.promise).toBeInstanceOf(LeaseLostError);
});

test("a prefetched job that was lost while it waited is not run", async () => {
  const { queue, redis, keys } = testQueue<string>();
  await queue.enqueueMany([{ data: "first" }, { data: "second", id: "second" }]);
  const go = gate();
  const ran: string[] = [];
  const worker = await testWorker(
    queue,
    async (job) => {
      ran.push(job.data);
      await go.promise;
    },
    { concurrency: 1, prefetch: 1, visibilityTimeoutMs: 1_200 },
  );
  await waitFor(() => worker.health().running === 2);
  const lost = once(worker, "lease-lost");
  const leases = await redis.zrange(keys.processing, 0, "-1");
  const [first, second] = leases.toSorted(
    (a, b) => Number(a.startsWith("second:")) - Number(b.startsWith("second:")),
  );
  await redis.zrem(keys.processing, second!);
  // Both are extended together. One extension may be under way already, the next one is refused for the
  // second job, and one more goes out only after that answer has arrived.
  for (let extension = 1; extension <= 3; extension += 1) {
    const deadline = await redis.zscore(keys.processing, first!);
    await waitFor(async () => (await redis.zscore(keys.processing, first!)) !== deadline);
  }
  go.resolve();
  expect((await lost)[0]).toMatchObject({ id: "second" });
  expect(ran).toEqual(["first"]);
});

test.each([
  { dead: 150, limit: 10_000 },
  { dead: 50, limit: 100 }, // one page
])("redriving $limit of $dead dead letters sends none round twice", async ({ dead, limit }) => {
  const { queue, another } = testQueue<number>();
  await queue.enqueueMany(Array.from({ length: dead }, (_, data) => ({ data, maxAttempts: 1 })));
  let runs = 0;
  await testWorker(
    another(),
    () => {
      runs += 1;
      throw new Error("always");
    },
    { concurrency: 50 },
  );
  await waitFor(async () => (await queue.stats()).dead === dead);
  expect(await queue.dead.redrive({ limit })).toBe(dead);
  await waitFor(async () => (await queue.stats()).dead === dead);
  expect(runs).toBe(2 * dead);
});

test("a signal that is none is refused", async () => {
  const { queue } = testQueue();
  await expect(queue.claim({ signal: {} as never, waitMs: 100 })).rejects.toThrow(
    "signal is an object",
  );
});

test("items that are none are refused", async () => {
  const { queue } = testQueue();
  await expect(queue.enqueueMany([null as never])).rejects.toThrow("items is an array");
});

test("closing a queue waits for enqueues whose schema takes its time", async () => {
  const valid = gate<{ value: string }>();
  const validating = gate();
  const schema = {
    "~standard": {
      version: 1 as const,
      vendor: "test",
      validate: () => {
        validating.resolve();
        return valid.promise;
      },
    },
  };
  const { queue, another } = testQueue<string>();
  const slow = another({ schema });
  const enqueued = slow.enqueue("x");
  await validating.promise;
  const closed = slow.close();
  valid.resolve({ value: "x" });
  expect((await enqueued).status).toBe("created");
  await closed;
  expect((await queue.stats()).due).toBe(1);
});

test("a worker whose queue was closed first says nothing of it, and still closes", async () => {
  const { another } = testQueue<string>();
  const queue = another();
  const worker = new Worker(queue, () => undefined, { pollIntervalMs: 10 });
  const errors: Error[] = [];
  worker.on("error", (error) => errors.push(error));
  await worker.start();
  await queue.close();
  expect(await worker.close()).toEqual({ finished: 0, released: 0, abandoned: 0 });
  expect(errors).toEqual([]);
});
