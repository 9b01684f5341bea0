/** Every long-lived part survives any order of start and stop, and close always settles. */
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { Batcher } from "../../src/core/engine/batcher.ts";
import { Claimer } from "../../src/core/engine/claimer.ts";
import { ConsumerPool } from "../../src/core/engine/consumer-pool.ts";
import { Consumer } from "../../src/core/engine/consumer.ts";
import { DurableProducer } from "../../src/core/engine/durable-producer.ts";
import { Executor } from "../../src/core/engine/executor.ts";
import { LeaseKeeper } from "../../src/core/engine/lease-keeper.ts";
import type { Part } from "../../src/core/engine/part.ts";
import { Producer } from "../../src/core/engine/producer.ts";
import { QueueCore } from "../../src/core/engine/queue-core.ts";
import { Reaper } from "../../src/core/engine/reaper.ts";
import { Settler } from "../../src/core/engine/settler.ts";
import { Waker } from "../../src/core/engine/waker.ts";
import { fixed } from "../../src/core/model/backoff.ts";
import { resolveQueueOptions } from "../../src/core/model/queue-options.ts";
import { resolveWorkerOptions } from "../../src/core/model/worker-options.ts";
import { Connection } from "../../src/core/store/connection.ts";
import { DurableConnection } from "../../src/core/store/durable-connection.ts";
import { ClosedError, Queue, Worker, WorkerClosingError } from "../../src/index.ts";
import { collector, gate, testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testRedisUrl, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

type MakePart = (core: QueueCore) => Part;

const failure = (error: unknown) => {
  throw error;
};
const worker = resolveWorkerOptions({ visibilityTimeoutMs: 200, pollIntervalMs: 50 });
const nothing = () => undefined;

const parts: Record<string, MakePart> = {
  Batcher: () =>
    new Batcher({ send: (items) => Promise.resolve(items), maxItems: 1, maxBatchesInFlight: 1 }),
  Claimer: ({ store }) =>
    new Claimer({
      store,
      workerId: uniqueName("w"),
      worker,
      capacity: () => 1,
      accept: nothing,
      onLook: nothing,
      onError: failure,
    }),
  Consumer: (core) => new Consumer(core, new Settler(core.store, failure)),
  ConsumerPool: (core) => new ConsumerPool(core),
  DurableProducer: ({ store, options }) =>
    new DurableProducer(store, new DurableConnection(new Connection(options)), 1_000),
  Executor: ({ store, options }) =>
    new Executor({
      queueName: options.name,
      rules: options,
      worker,
      handler: nothing,
      settler: new Settler(store, failure),
      keeper: new LeaseKeeper({
        store,
        visibilityTimeoutMs: 200,
        onError: failure,
      }),
      onSlotFree: nothing,
      onEnd: nothing,
    }),
  LeaseKeeper: ({ store }) =>
    new LeaseKeeper({ store, visibilityTimeoutMs: 200, onError: failure }),
  Producer: ({ store }) => new Producer(store, 1_000),
  Reaper: ({ store }) =>
    new Reaper({
      store,
      visibilityTimeoutMs: 200,
      backoff: fixed({ delayMs: 1 }),
      onExpired: nothing,
      onError: failure,
    }),
  Settler: ({ store }) => new Settler(store, failure),
  Waker: ({ store, subscriber }) =>
    new Waker({
      subscriber,
      channel: store.wakeChannel + uniqueName("w"),
      onWake: nothing,
      onError: failure,
    }),
};

describe.each(Object.entries(parts))("%s", (_, make) => {
  function open(): Part {
    const name = uniqueName("lifecycle");
    const core = new QueueCore(resolveQueueOptions(name, { connection: testRedisUrl() }));
    onTestFinished(() => core.close());
    return make(core);
  }

  test("is stopped before it is started", async () => {
    const part = open();
    await part.stop();
    await part.start();
    await part.stop();
  });

  test("is stopped twice, also at the same time", async () => {
    const part = open();
    await part.start();
    await Promise.all([part.stop(), part.stop()]);
    await part.stop();
  });

  test("is stopped while it starts", async () => {
    const part = open();
    const starting = part.start();
    await part.stop();
    await starting;
  });

  test("is started twice", async () => {
    const part = open();
    await Promise.all([part.start(), part.start()]);
    await part.stop();
  });
});

describe("a worker", () => {
  test("is closed before it is started, twice, and while it starts", async () => {
    const { queue } = testQueue();
    const none = { finished: 0, released: 0, abandoned: 0 };
    const first = new Worker(queue, nothing);
    expect(await first.close()).toEqual(none);
    expect(await first.close()).toEqual(none);
    await expect(first.start()).rejects.toThrow(ClosedError);

    const second = new Worker(queue, nothing);
    const starting = second.start();
    expect(await second.close()).toEqual(none);
    await starting;
    expect(second.health()).toMatchObject({ healthy: false, reason: "the worker is closed" });
  });

  test("finishes its handlers at close, and takes nothing more", async () => {
    const { queue } = testQueue<number>();
    await queue.enqueueMany([0, 1, 2, 3].map((data) => ({ data })));
    const started = collector<number>(2);
    const go = gate();
    const closing = new Worker(
      queue,
      async (job) => {
        started.add(job.data);
        await go.promise;
      },
      { concurrency: 2, prefetch: 1 },
    );
    await closing.start();
    await started.full;
    const closed = closing.close({ timeoutMs: 60_000 });
    go.resolve();
    // The prefetched job had not started: it is given back at once.
    expect(await closed).toEqual({ finished: 2, released: 1, abandoned: 0 });
    expect(await queue.stats()).toMatchObject({
      due: 2,
      processing: 0,
      totals: { completed: 2, retried: 0 },
    });
  });

  test("aborts and releases what does not finish in time: it runs elsewhere at once, uncounted", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("slow");
    const started = gate();
    const reason = gate<unknown>();
    const never = gate();
    const closing = new Worker(queue, (_, { signal }) => {
      started.resolve();
      signal.addEventListener("abort", () => reason.resolve(signal.reason));
      return never.promise;
    });
    await closing.start();
    await started.promise;
    expect(await closing.close({ timeoutMs: 20 })).toEqual({
      finished: 0,
      released: 1,
      abandoned: 0,
    });
    expect(await reason.promise).toBeInstanceOf(WorkerClosingError);
    const [delivery] = await queue.claim();
    expect(delivery!.attempt).toBe(1);
    never.resolve();
  });

  test("releases a job whose payload is still being validated, and never runs it", async () => {
    const { queue, another } = testQueue<string>();
    await queue.enqueue("x");
    const validating = gate();
    const valid = gate<{ value: string }>();
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
    let runs = 0;
    const closing = new Worker(another({ schema }), () => void (runs += 1));
    await closing.start();
    await validating.promise;
    expect(await closing.close({ timeoutMs: 0 })).toMatchObject({ released: 1, abandoned: 0 });
    valid.resolve({ value: "x" });
    expect(await queue.claim()).toHaveLength(1);
    expect(runs).toBe(0);
  });

  test("hands its watch over before its handlers end", async () => {
    const { queue, another, redis, keys } = testQueue<string>();
    const go = gate();
    const started = gate();
    const patient = { pollIntervalMs: 600_000 };
    const closing = new Worker(
      queue,
      (job) => (job.data === "long" ? (started.resolve(), go.promise) : undefined),
      patient,
    );
    await closing.start();
    await queue.enqueue("long");
    await started.promise;
    const { dueAt } = await queue.enqueue("later", { delayMs: 300_000 });
    const lookOf = (id: string) => redis.zscore(keys.waiting, id);
    await waitFor(async () => (await lookOf(closing.id)) === String(dueAt!.getTime()));
    const other = new Worker(another(), nothing, patient);
    await other.start();
    await waitFor(async () => (await lookOf(other.id)) !== null);
    const closed = closing.close();
    await waitFor(async () => (await lookOf(other.id)) === String(dueAt!.getTime()));
    go.resolve();
    expect(await closed).toMatchObject({ finished: 1 });
    await other.close();
  });

  test("takes its name out of Redis", async () => {
    const { queue, redis, keys } = testQueue<string>();
    const closing = new Worker(queue, nothing);
    const completed = once(closing, "completed");
    await closing.start();
    await queue.enqueue("x");
    await completed;
    await closing.close();
    expect(await redis.hexists(keys.claims, closing.id)).toBe(0);
    expect(await redis.zcard(keys.waiting)).toBe(0);
  });

  test("and its queue can be disposed of by leaving their block", async () => {
    const name = uniqueName("dispose");
    const connection = testRedisUrl();
    const done = gate();
    {
      await using queue = new Queue<string>(name, { connection });
      await using scoped = new Worker(queue, () => done.resolve());
      await scoped.start();
      await queue.enqueue("x");
      await done.promise;
    }
    const after = new Queue(name, { connection });
    expect(await after.stats()).toMatchObject({ processing: 0, totals: { completed: 1 } });
    await after.close();
  });
});

describe("a queue", () => {
  test("stores what was enqueued before it closes, and refuses calls afterwards", async () => {
    const { queue, another } = testQueue<number>();
    const enqueued = Promise.all([1, 2, 3].map((n) => queue.enqueue(n)));
    await Promise.resolve();
    await queue.close();
    await queue.close();
    expect(await enqueued).toHaveLength(3);
    await expect(queue.enqueue(4)).rejects.toThrow(ClosedError);
    await expect(queue.stats()).rejects.toThrow(ClosedError);
    await expect(queue.claim()).rejects.toThrow(ClosedError);
    await expect(queue.dead.list()).rejects.toThrow(ClosedError);
    expect((await another().stats()).due).toBe(3);
  });

  test("leaves a borrowed client open", async () => {
    const { redis } = testQueue();
    const borrowing = new Queue(uniqueName("borrowed"), { connection: redis });
    await borrowing.enqueue("x");
    const listeners = redis.listenerCount("close");
    await borrowing.close();
    expect(redis.status).toBe("ready");
    expect(redis.listenerCount("close")).toBe(listeners - 1);
    expect(await redis.ping()).toBe("PONG");
  });
});
