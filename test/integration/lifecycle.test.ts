/** Close always settles, and leaves nothing behind. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { ClosedError, Queue, Worker, WorkerClosingError } from "../../src/index.ts";
import { collector, gate, testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testConnection, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const nothing = () => undefined;

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
    const connection = testConnection();
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
