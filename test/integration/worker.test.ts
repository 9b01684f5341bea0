import { once } from "node:events";
import { describe, expect, test } from "vitest";
import {
  DeadLetter,
  fixed,
  HandlerTimeoutError,
  InvalidOptionError,
  type Job,
  RetryLater,
  Worker,
} from "../../src/index.ts";
import { collector, gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";

failOnLeaks();

const soon = fixed({ delayMs: 1 });

describe("a handler", () => {
  test("gets the job, and acknowledges it by returning", async () => {
    const { queue } = testQueue<{ n: number }>();
    const { id } = await queue.enqueue({ n: 1 }, { headers: { a: "b" }, maxAttempts: 4 });
    const got = gate<Job<{ n: number }>>();
    const worker = await testWorker(queue, async (job) => got.resolve(job));
    const [completed] = (await once(worker, "completed")) as [{ job: Job<{ n: number }> }];
    const job = await got.promise;
    expect(completed.job).toBe(job);
    expect(job).toMatchObject({
      id,
      data: { n: 1 },
      attempt: 1,
      maxAttempts: 4,
      headers: { a: "b" },
    });
    expect(job.fencingToken).toBeGreaterThan(0);
    expect(Math.abs(job.dueAt.getTime() - job.enqueuedAt.getTime())).toBeLessThan(5_000);
    expect(await queue.get(id)).toBeUndefined();
    expect((await queue.stats()).totals).toMatchObject({ enqueued: 1, completed: 1 });
  });

  test("that throws runs again, with a growing token, until its attempts are used up", async () => {
    const { queue } = testQueue<string>();
    const { id } = await queue.enqueue("x");
    const runs: [number, number][] = [];
    const worker = new Worker(
      queue,
      (job) => {
        runs.push([job.attempt, job.fencingToken]);
        throw new Error(`boom ${job.attempt}`);
      },
      { maxAttempts: 3, backoff: soon },
    );
    const retried = collector<unknown>(2);
    worker.on("retried", retried.add);
    const dead = once(worker, "dead");
    await worker.start();
    expect((await dead)[0]).toMatchObject({ id, reason: "Error: boom 3" });
    await worker.close();
    expect(runs.map(([attempt]) => attempt)).toEqual([1, 2, 3]);
    expect(runs.map(([, token]) => token)).toEqual(
      runs.map(([, token]) => token).toSorted((a, b) => a - b),
    );
    expect(new Set(runs.map(([, token]) => token)).size).toBe(3);
    expect(retried.values).toMatchObject([{ delayMs: 1, counted: true }, { counted: true }]);
    expect((await queue.dead.list()).jobs).toMatchObject([
      { id, state: "dead", data: "x", failedAttempts: 3, lastError: "Error: boom 3" },
    ]);
  });

  test("a job's own limit of attempts wins over the worker's", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { maxAttempts: 1 });
    const worker = await testWorker(queue, () => Promise.reject(new Error("no")), {
      maxAttempts: 9,
    });
    expect((await once(worker, "dead"))[0]).toMatchObject({ reason: "Error: no" });
  });

  test("may bury at once", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    const worker = await testWorker(queue, () => {
      throw new DeadLetter("no such address");
    });
    expect((await once(worker, "dead"))[0]).toMatchObject({ reason: "no such address" });
  });

  test("may ask to run later without counting", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    const attempts: number[] = [];
    const worker = await testWorker(
      queue,
      (job) => {
        attempts.push(job.attempt);
        if (attempts.length < 4) throw new RetryLater({ delayMs: 1 });
      },
      { maxAttempts: 1 },
    );
    await once(worker, "completed");
    expect(attempts).toEqual([1, 1, 1, 1]);
  });

  test("that runs too long is aborted, and the attempt counts as failed", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    const reasons: unknown[] = [];
    const worker = await testWorker(
      queue,
      (job, { signal }) =>
        job.attempt === 1
          ? new Promise((_, reject) => {
              signal.addEventListener("abort", () => {
                reasons.push(signal.reason);
                reject(signal.reason as Error);
              });
            })
          : undefined,
      { handlerTimeoutMs: 30, backoff: soon },
    );
    const [retried] = (await once(worker, "retried")) as [{ error: Error }];
    expect(retried.error).toBeInstanceOf(HandlerTimeoutError);
    expect(reasons).toEqual([retried.error]);
    await once(worker, "completed");
  });

  test("that ignores its signal does not hold its slot", async () => {
    const { queue } = testQueue<string>();
    await queue.enqueue("stuck");
    const never = gate();
    const worker = await testWorker(
      queue,
      (job) => (job.data === "stuck" ? never.promise : undefined),
      {
        concurrency: 1,
        handlerTimeoutMs: 20,
        maxAttempts: 1,
      },
    );
    await once(worker, "dead");
    const completed = once(worker, "completed");
    await queue.enqueue("next");
    await completed;
    never.resolve();
  });
});

describe("slots", () => {
  test("as many handlers run as there are slots, and no more", async () => {
    const { queue } = testQueue<number>();
    await queue.enqueueMany(Array.from({ length: 30 }, (_, data) => ({ data })));
    let running = 0;
    let most = 0;
    const full = gate();
    const go = gate();
    const done = collector<unknown>(30);
    const worker = await testWorker(
      queue,
      async () => {
        running += 1;
        most = Math.max(most, running);
        if (running === 7) full.resolve();
        await go.promise;
        running -= 1;
      },
      { concurrency: 7 },
    );
    worker.on("completed", done.add);
    await full.promise;
    expect(await queue.stats()).toMatchObject({ processing: 7, due: 23 });
    go.resolve();
    await done.full;
    expect(most).toBe(7);
  });

  test("prefetched jobs wait in this process, under a lease", async () => {
    const { queue } = testQueue<number>();
    await queue.enqueueMany(Array.from({ length: 10 }, (_, data) => ({ data })));
    const started = collector<number>(2);
    const go = gate();
    const worker = await testWorker(
      queue,
      async (job) => {
        started.add(job.data);
        await go.promise;
      },
      { concurrency: 2, prefetch: 3 },
    );
    await started.full;
    expect(worker.health()).toMatchObject({ running: 5, healthy: true });
    expect(await queue.stats()).toMatchObject({ processing: 5, due: 5 });
    const done = collector<unknown>(10);
    worker.on("completed", done.add);
    go.resolve();
    await done.full;
  });

  test("jobs run in the order of their due times", async () => {
    const { queue } = testQueue<number>();
    const t = Date.now() - 1_000;
    for (const n of [3, 1, 2, 0]) await queue.enqueue(n, { runAt: t + n });
    const done = collector<number>(4);
    await testWorker(queue, (job) => done.add(job.data), { concurrency: 1 });
    expect(await done.full).toEqual([0, 1, 2, 3]);
  });
});

describe("events", () => {
  test("a listener that throws cannot stop the worker", async () => {
    const { queue } = testQueue<number>();
    const done = collector<number>(2);
    const worker = await testWorker(queue, (job) => done.add(job.data));
    worker.on("completed", () => {
      throw new Error("bad listener");
    });
    const warning = once(process, "warning");
    await queue.enqueue(1);
    expect(((await warning) as [Error])[0].message).toContain('the event "completed" threw');
    await queue.enqueue(2);
    await done.full;
  });
});

test.each([
  [{ concurrency: 0 }, "concurrency is 0"],
  [{ concurrency: 1.5 }, "concurrency is 1.5"],
  [{ visibilityTimeoutMs: 99 }, "whole milliseconds from 100 to 43200000"],
  [{ pollIntervalMs: 0 }, "pollIntervalMs is 0"],
  [{ prefetch: -1 }, "prefetch is -1"],
  [{ maxAttempts: 0 }, "maxAttempts is 0"],
  [{ backoff: 5 as never }, "backoff is 5, but must be a function"],
  [{ handlerTimeoutMs: 0 }, "handlerTimeoutMs is 0"],
  [{ conurrency: 5 } as never, "options.conurrency is 5"],
])("worker options: %j", (options, message) => {
  const { queue } = testQueue();
  expect(() => new Worker(queue, () => undefined, options)).toThrow(InvalidOptionError);
  expect(() => new Worker(queue, () => undefined, options)).toThrow(message);
});

test("a worker needs a queue and a handler", () => {
  const { queue } = testQueue();
  expect(() => new Worker({} as never, () => undefined)).toThrow("queue is an object");
  expect(() => new Worker(queue, undefined as never)).toThrow("handler is undefined");
});
