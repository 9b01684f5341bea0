/** A request or a reply that is lost on the way, for each call. */
import { describe, expect, test } from "vitest";
import {
  DeadLetter,
  EnqueueUnconfirmedError,
  fixed,
  type Job,
  RedisUnavailableError,
} from "../../src/index.ts";
import { callOf, faultyLink, leaseEndsInMs } from "../helpers/faulty-link.ts";
import { gate } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

/** So long that no test could wait for its end. */
const minutes = { visibilityTimeoutMs: 600_000, pollIntervalMs: 600_000 };

/** By how much a bound may be missed where others use the machine too. */
const BUSY_MACHINE_MS = 3_000;

const drops = ["dropNextReply", "dropNextRequest"] as const;

const settled = async (promise: Promise<unknown>) => {
  const startedAt = performance.now();
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, tookMs: performance.now() - startedAt };
};

describe("enqueue", () => {
  test.each(["refuse", "blackHole"] as const)(
    "%s: rejects in time, and is safe to repeat",
    async (fault) => {
      const { far, near, proxy } = await faultyLink({ enqueueTimeoutMs: 400 });
      proxy[fault](true);
      const { error, tookMs } = await settled(far.enqueue("x"));
      expect(error).toBeInstanceOf(EnqueueUnconfirmedError);
      const unconfirmed = error as EnqueueUnconfirmedError;
      expect(unconfirmed).toMatchObject({ code: "ENQUEUE_UNCONFIRMED", retryable: true });
      expect(unconfirmed.ids).toEqual([unconfirmed.id]);
      expect(unconfirmed.message).toContain(unconfirmed.id);
      expect(unconfirmed.cause).toBeInstanceOf(RedisUnavailableError);
      expect(tookMs).toBeLessThan(400 + BUSY_MACHINE_MS);
      proxy[fault](false);
      const again = await near.enqueue("x", { id: unconfirmed.id });
      expect(["created", "duplicate"]).toContain(again.status);
      expect(await near.stats()).toMatchObject({ due: 1, totals: { enqueued: 1 } });
      expect(await far.get(unconfirmed.id)).toMatchObject({ data: "x" });
    },
  );

  test("black hole on an open connection: what got through by then is a duplicate", async () => {
    const { far, near, proxy } = await faultyLink({ enqueueTimeoutMs: 400 });
    await far.stats();
    proxy.blackHole(true);
    const { error, tookMs } = await settled(far.enqueue("x", { id: "x" }));
    expect(error).toBeInstanceOf(EnqueueUnconfirmedError);
    expect(tookMs).toBeLessThan(400 + BUSY_MACHINE_MS);
    proxy.blackHole(false);
    // What was held arrives now, although its caller was told that it is unconfirmed.
    await waitFor(async () => (await near.stats()).due === 1);
    expect((await near.enqueue("x", { id: "x" })).status).toBe("duplicate");
    expect((await near.stats()).totals.enqueued).toBe(1);
  });

  test("its error says why Redis cannot be reached", async () => {
    const { far, proxy } = await faultyLink({ enqueueTimeoutMs: 1_500 });
    await far.stats();
    proxy.refuse(true);
    proxy.cut();
    const { error } = await settled(far.enqueue("x"));
    proxy.refuse(false);
    await waitFor(() => far.stats().then(Boolean, () => false));
    const { message } = (error as Error).cause as Error;
    expect(message).toMatch(/ECONNREFUSED|ECONNRESET|connection/i);
    expect(message).not.toContain("maxRetriesPerRequest");
  });

  test.each(drops)("%s: resolves, and one job is stored", async (drop) => {
    const { far, near, proxy } = await faultyLink();
    await far.stats();
    proxy[drop](callOf("enqueue"));
    const { id, status } = await far.enqueue("x", { delayMs: 60_000 });
    expect(proxy.pendingDrops).toBe(0);
    expect(status).toBe("created");
    expect(await near.get(id)).toMatchObject({ data: "x", state: "delayed" });
    expect(await near.stats()).toMatchObject({ delayed: 1, totals: { enqueued: 1 } });
  });

  test.each(drops)("%s: a whole batch resolves in order, each job is stored once", async (drop) => {
    const { far, near, proxy } = await faultyLink();
    await far.stats();
    const items = Array.from({ length: 500 }, (_, n) => ({ data: `${n}`, id: `job-${n}` }));
    proxy[drop](callOf("enqueue"));
    const results = await far.enqueueMany(items);
    expect(proxy.pendingDrops).toBe(0);
    expect(results.map(({ id, status }) => [id, status])).toEqual(
      items.map(({ id }) => [id, "created"]),
    );
    expect((await near.stats()).totals.enqueued).toBe(500);
  });
});

describe("claim", () => {
  test.each(drops)(
    "%s: the worker's next try brings the same jobs, as the same attempt",
    async (drop) => {
      const { far, near, proxy } = await faultyLink();
      await near.enqueueMany([1, 2, 3].map((n) => ({ data: `${n}` })));
      const { worker, seen } = watchedWorker(far, () => undefined, { ...minutes, concurrency: 5 });
      proxy[drop](callOf("claim"));
      await worker.start();
      await waitFor(() => seen.completed.length === 3);
      expect(proxy.pendingDrops).toBe(0);
      const jobs = seen.completed.map(({ job }) => job);
      expect(jobs.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
      expect(new Set(jobs.map(({ fencingToken }) => fencingToken)).size).toBe(1);
      expect(seen.error).toHaveLength(1);
      expect(seen.error[0]).toBeInstanceOf(RedisUnavailableError);
      await worker.close();
      expect((await near.stats()).totals).toMatchObject({ completed: 3, expired: 0 });
    },
  );

  test("one whose jobs come late holds them as long as any other", async () => {
    const { far, near, proxy, redis, keys } = await faultyLink();
    const visibilityTimeoutMs = 4_000;
    await near.enqueue("x");
    const attempts: number[] = [];
    const finish = gate();
    const handler = async (job: Job<string>) => {
      attempts.push(job.attempt);
      await finish.promise;
    };
    proxy.dropNextReply(callOf("claim"));
    const first = watchedWorker(far, handler, { visibilityTimeoutMs });
    await first.worker.start();
    // Its claim was carried out. The try after it gets no answer until the lease has nearly ended.
    await waitFor(() => proxy.pendingDrops === 0);
    proxy.blackHole(true);
    const second = watchedWorker(near, handler, { visibilityTimeoutMs, pollIntervalMs: 50 });
    await second.worker.start();
    await waitFor(async () => ((await leaseEndsInMs(redis, keys)) ?? 0) < 1_500);
    expect(attempts).toEqual([]);
    proxy.blackHole(false);
    await waitFor(() => attempts.length > 0);
    // The first worker now extends the lease: a second holder would have to come before that.
    await waitFor(
      async () => ((await leaseEndsInMs(redis, keys)) ?? 0) > 2_500 || attempts.length > 1,
    );
    expect({ attempts, stalled: second.seen.stalled }).toEqual({ attempts: [1], stalled: [] });
    const completed = first.next("completed");
    finish.resolve();
    await completed;
  });
});

describe("the outcome of a handler", () => {
  test.each(drops)("%s of an ack: completed once, and never run again", async (drop) => {
    const { far, near, proxy } = await faultyLink();
    const { worker, next, counts } = watchedWorker(far, () => proxy[drop](callOf("ack")), minutes);
    const completed = next("completed");
    await worker.start();
    const { id } = await near.enqueue("x");
    expect(await completed).toMatchObject({ job: { id, attempt: 1 } });
    expect(await worker.close()).toEqual({ finished: 0, released: 0, abandoned: 0 });
    expect(counts()).toMatchObject({ completed: 1 });
    expect(counts()).not.toHaveProperty("lease-lost");
    expect(await near.stats()).toMatchObject({
      due: 0,
      processing: 0,
      totals: { completed: 1, expired: 0 },
    });
  });

  test.each(drops)("%s of a nack: one retry", async (drop) => {
    const { far, near, proxy } = await faultyLink();
    const { worker, seen, next, counts } = watchedWorker(
      far,
      (job) => {
        if (job.attempt === 1) {
          proxy[drop](callOf("nack"));
          throw new Error("once");
        }
      },
      { ...minutes, backoff: fixed({ delayMs: 0 }) },
    );
    await worker.start();
    const completed = next("completed");
    await near.enqueue("x");
    expect((await completed).job.attempt).toBe(2);
    // The answer to the repeated nack may come after the job has run again.
    await waitFor(() => seen.retried.length > 0);
    await worker.close();
    expect(counts()).toMatchObject({ retried: 1, completed: 1 });
    expect(counts()).not.toHaveProperty("lease-lost");
    expect((await near.stats()).totals).toMatchObject({ completed: 1, retried: 1, expired: 0 });
  });

  test.each(drops)("%s of a burial: one dead letter", async (drop) => {
    const { far, near, proxy } = await faultyLink();
    const { worker, next, counts } = watchedWorker(
      far,
      () => {
        proxy[drop](callOf("bury"));
        throw new DeadLetter("no such address");
      },
      minutes,
    );
    await worker.start();
    const dead = next("dead");
    const { id } = await near.enqueue("x");
    expect(await dead).toMatchObject({ id, reason: "no such address" });
    expect(counts()).not.toHaveProperty("lease-lost");
    expect((await near.dead.list()).jobs).toMatchObject([{ id, failedAttempts: 1 }]);
    expect(await near.stats()).toMatchObject({ dead: 1, processing: 0, totals: { buried: 1 } });
  });

  test.each(drops)("%s of an extension: the job keeps its lease", async (drop) => {
    const { far, near, proxy, redis, keys } = await faultyLink();
    const finish = gate();
    const visibilityTimeoutMs = 4_500;
    const { worker, seen, next, counts } = watchedWorker(far, () => finish.promise, {
      visibilityTimeoutMs,
    });
    await worker.start();
    await near.enqueue("x");
    await waitFor(async () => (await redis.zcard(keys.processing)) === 1);
    proxy[drop](callOf("extend"));
    const deadline = async () =>
      Number((await redis.zrange(keys.processing, 0, "-1", "WITHSCORES"))[1]);
    const first = await deadline();
    await waitFor(async () => (await deadline()) > first + visibilityTimeoutMs);
    expect(proxy.pendingDrops).toBe(0);
    const completed = next("completed");
    finish.resolve();
    await completed;
    expect(seen.error.length).toBeGreaterThan(0);
    expect(counts()).not.toHaveProperty("lease-lost");
    expect((await near.stats()).totals).toMatchObject({ completed: 1, expired: 0 });
  });

  test("an extension by the handler says that it is not known to have worked", async () => {
    const { far, near, proxy } = await faultyLink();
    const { worker, next } = watchedWorker(
      far,
      async (job) => {
        proxy.dropNextReply(callOf("extend"));
        await expect(job.extend()).rejects.toThrow(RedisUnavailableError);
        await job.extend();
      },
      minutes,
    );
    await worker.start();
    const completed = next("completed");
    await near.enqueue("x");
    await completed;
  });
});
