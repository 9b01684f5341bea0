import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { fixed, type Job, LeaseLostError, Worker } from "../../src/index.ts";
import { collector, gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const soon = fixed({ delayMs: 1 });

describe("a lease", () => {
  test("is extended while its handler runs, however long that is", async () => {
    const { queue, redis, keys } = testQueue<string>();
    await queue.enqueue("long");
    const go = gate();
    const worker = await testWorker(queue, () => go.promise, { visibilityTimeoutMs: 900 });
    await waitFor(async () => (await redis.zcard(keys.processing)) === 1);
    const deadline = async () =>
      Number((await redis.zrange(keys.processing, 0, "-1", "WITHSCORES"))[1]);
    const first = await deadline();
    // A visibility timeout later it is still the same lease.
    await waitFor(async () => (await deadline()) > first + 900);
    const completed = once(worker, "completed");
    go.resolve();
    expect(((await completed)[0] as { job: Job<string> }).job.attempt).toBe(1);
    expect((await queue.stats()).totals).toMatchObject({ completed: 1, expired: 0 });
  });

  test("can be extended by its handler", async () => {
    const { queue, redis, keys, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const worker = await testWorker(queue, async (job) => {
      await passTime(20_000);
      await job.extend();
      const [, deadline] = await redis.zrange(keys.processing, 0, "-1", "WITHSCORES");
      const [seconds] = await redis.time();
      expect(Number(deadline)).toBeGreaterThan(Number(seconds) * 1_000 + 25_000);
    });
    await once(worker, "completed");
  });

  test("that expired goes to another worker; the first one's outcome is refused", async () => {
    const { queue, another, passTime } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    const held = gate<Job<string>>();
    const go = gate();
    const first = await testWorker(
      queue,
      async (job) => {
        held.resolve(job);
        await go.promise;
      },
      { concurrency: 1 }, // no slot is free for the second delivery
    );
    const lostJob = await held.promise;
    const lost = once(first, "lease-lost");

    await passTime(30_001);
    const done = gate<Job<string>>();
    const second = new Worker(another(), (job) => done.resolve(job), { backoff: soon });
    const stalled = once(second, "stalled");
    const completed = once(second, "completed");
    await second.start();
    expect((await stalled)[0]).toEqual({ ids: ["x"] });
    const job = await done.promise;
    expect(job.attempt).toBe(2);
    expect(job.fencingToken).toBeGreaterThan(lostJob.fencingToken);
    await completed;

    go.resolve();
    expect((await lost)[0]).toEqual({ id: "x", fencingToken: lostJob.fencingToken });
    await second.close();
    expect((await queue.stats()).totals).toMatchObject({ completed: 1, expired: 1 });
  });

  test("that another holder took aborts the handler at the next extension", async () => {
    const { queue, another, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const held = gate();
    const reason = gate<unknown>();
    const first = await testWorker(
      queue,
      (_, { signal }) => {
        held.resolve();
        return new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            reason.resolve(signal.reason);
            resolve();
          });
        });
      },
      // No slot is free for the job's second delivery, which is for the other holder.
      { visibilityTimeoutMs: 4_500, concurrency: 1 },
    );
    const other = another();
    await other.stats(); // connected
    await held.promise;
    const lost = once(first, "lease-lost");
    await passTime(4_501);
    // Reaped and taken by hand, before the first worker's next extension is due.
    const [delivery] = await other.claim();
    expect(await reason.promise).toBeInstanceOf(LeaseLostError);
    await lost;
    expect(await delivery!.ack()).toBe("done");
  });

  test("extending a lost lease by hand throws", async () => {
    const { queue, another, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const thrown = gate<unknown>();
    await testWorker(
      queue,
      async (job) => {
        await passTime(30_001);
        expect(await another().claim()).toHaveLength(1);
        await job.extend().catch(thrown.resolve);
      },
      { concurrency: 1 }, // no slot is free for the second delivery
    );
    expect(await thrown.promise).toBeInstanceOf(LeaseLostError);
  });
});

describe("expired leases", () => {
  test("the first costs no wait, later ones wait for their backoff", async () => {
    const { queue, redis, keys, passTime } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    await queue.claim();
    await passTime(30_001);
    const reaper = new Worker(queue, () => gate().promise, {
      backoff: fixed({ delayMs: 500_000 }),
      pollIntervalMs: 20,
    });
    const first = once(reaper, "stalled");
    await reaper.start();
    await first;
    await waitFor(async () => (await queue.stats()).processing === 1);
    const second = once(reaper, "stalled");
    await passTime(30_001);
    await second;
    const due = Number(await redis.zscore(keys.delayed, "x"));
    const [seconds] = await redis.time();
    expect(due).toBeGreaterThan(Number(seconds) * 1_000 + 400_000);
    await reaper.close({ timeoutMs: 0 });
  });

  test("give the backoff an error to read, as a handler's failure does", async () => {
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("x");
    await queue.claim();
    const kinds = new Set<string>();
    const worker = new Worker(queue, () => undefined, {
      pollIntervalMs: 20,
      backoff: (_, error) => kinds.add((error as Error).name).size,
    });
    const errors: Error[] = [];
    worker.on("error", (error) => errors.push(error));
    const completed = once(worker, "completed");
    await worker.start();
    await passTime(30_001);
    await completed;
    await worker.close();
    expect([...kinds]).toEqual(["LeaseLostError"]);
    expect(errors).toEqual([]);
  });

  test("as many as attempts are allowed bury the job, with its last error", async () => {
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("poison", { id: "poison", maxAttempts: 2 });
    for (let n = 0; n < 2; n += 1) {
      expect(await queue.claim({ waitMs: 5_000 })).toHaveLength(1);
      await passTime(3_600_000);
    }
    const worker = await testWorker(queue, () => undefined, { backoff: soon });
    const [dead] = (await once(worker, "dead")) as [{ id: string }];
    expect(dead).toMatchObject({ id: "poison", job: undefined });
    const [letter] = (await queue.dead.list()).jobs;
    expect(letter).toMatchObject({ failedAttempts: 2 });
    expect(letter!.lastError).toContain("lease expired");
  });

  test("hundreds at once are given back in bounded batches, oldest first", async () => {
    const { queue, passTime } = testQueue<number>();
    await queue.enqueueMany(Array.from({ length: 350 }, (_, data) => ({ data })));
    for (let n = 0; n < 4; n += 1) await queue.claim({ max: 100 });
    await passTime(30_001);
    const done = collector<number>(350);
    await testWorker(queue, (job) => done.add(job.data), { concurrency: 100 });
    expect(new Set(await done.full).size).toBe(350);
  });
});
