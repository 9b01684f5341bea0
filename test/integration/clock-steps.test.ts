/**
 * The server's clock jumps by an hour while jobs are delayed, due and held. Shifting all scores by −d is
 * a clock set forward by d, shifting them by +d one set back.
 */
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { leaseEndsInMs } from "../helpers/faulty-link.ts";
import { collector, gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const HOUR_MS = 3_600_000;
/** So long that a test which needs the poll interval to pass does not end. */
const patient = { pollIntervalMs: 600_000 };
const often = { pollIntervalMs: 100 };

describe("forward", () => {
  test("jobs delayed by less run early, the others stay", async () => {
    const { queue, passTime } = testQueue<string>();
    const done = collector<string>(2);
    await testWorker(queue, (job) => done.add(job.data), often);
    await queue.enqueueMany([
      { data: "a minute", delayMs: 60_000 },
      { data: "59 minutes", delayMs: 59 * 60_000 },
      { data: "two hours", delayMs: 2 * HOUR_MS },
    ]);
    await passTime(HOUR_MS);
    expect((await done.full).toSorted()).toEqual(["59 minutes", "a minute"]);
    expect(await queue.stats()).toMatchObject({ delayed: 1, due: 0 });
  });

  test("a live lease ends: another takes the job under a larger token, the first is refused", async () => {
    const { queue, another, passTime } = testQueue<string>();
    const go = gate();
    const started = gate<number>();
    const first = watchedWorker(
      queue,
      async (job) => {
        started.resolve(job.fencingToken);
        await go.promise;
      },
      { concurrency: 1 },
    );
    await first.worker.start();
    await queue.enqueue("x");
    const firstToken = await started.promise;
    await passTime(HOUR_MS);
    const second = watchedWorker(another(), () => undefined, often);
    const completed = second.next("completed");
    await second.worker.start();
    expect((await completed).job).toMatchObject({ attempt: 2 });
    const lost = first.next("lease-lost");
    go.resolve();
    expect(await lost).toMatchObject({ fencingToken: firstToken });
    expect(second.seen.completed[0]!.job.fencingToken).toBeGreaterThan(firstToken);
    expect(first.seen.completed).toEqual([]);
    expect((await queue.stats()).totals).toMatchObject({ enqueued: 1, completed: 1, expired: 1 });
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
  });

  test("a lease that nobody has taken by then is saved by its next extension", async () => {
    const { queue, redis, keys, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const [held] = await queue.claim({ visibilityTimeoutMs: 30_000 });
    await passTime(HOUR_MS);
    await held!.extend();
    expect(await leaseEndsInMs(redis, keys)).toBeGreaterThan(20_000);
    expect(await queue.claim()).toEqual([]);
    expect(await held!.ack()).toBe("done");
  });

  test("workers whose names have gone stale by it look at their next poll, and then are woken again", async () => {
    const { queue, redis, keys, passTime } = testQueue<string>();
    const { worker, next } = watchedWorker(queue, () => undefined, { pollIntervalMs: 500 });
    await worker.start();
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 1);
    await passTime(HOUR_MS);
    for (let n = 0; n < 2; n += 1) {
      const completed = next("completed");
      await queue.enqueue("x");
      await completed;
    }
    expect(await looksInMs(redis, keys.waiting)).toEqual([
      expect.toSatisfy((ms: number) => ms > -HOUR_MS / 2, "a name that is not stale"),
    ]);
  });
});

describe("back", () => {
  test("due jobs wait, leases last longer, and an extension counts from the new time", async () => {
    const { queue, redis, keys, passTime } = testQueue<string>();
    await queue.enqueueMany([{ data: "held" }, { data: "due" }]);
    const [held] = await queue.claim({ visibilityTimeoutMs: 30_000 });
    await passTime(-HOUR_MS);
    expect(await queue.claim()).toEqual([]);
    expect(await queue.stats()).toMatchObject({ delayed: 1, due: 0, processing: 1 });
    expect(await leaseEndsInMs(redis, keys)).toBeGreaterThan(HOUR_MS);
    await held!.extend();
    expect(await leaseEndsInMs(redis, keys)).toBeLessThanOrEqual(30_000);
    expect(await held!.ack()).toBe("done");
    await passTime(HOUR_MS);
    expect(await queue.claim()).toMatchObject([{ data: "due" }]);
  });

  test("workers whose names lie an hour ahead are woken all the same", async () => {
    const { queue, another, redis, keys, passTime } = testQueue<string>();
    const done = collector<string>(3);
    for (let n = 0; n < 3; n += 1) {
      await testWorker(another(), (job) => done.add(job.data), patient);
    }
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 3);
    await passTime(-HOUR_MS);
    await queue.enqueue("delayed", { delayMs: 300 });
    await queue.enqueue("now");
    await queue.enqueue("again");
    expect((await done.full).toSorted()).toEqual(["again", "delayed", "now"]);
  });

  test("a sentry looks after its poll interval, however far ahead it is put down", async () => {
    const { queue, another, redis, keys, passTime } = testQueue<string>();
    await queue.enqueue("in a minute", { delayMs: 60_000 });
    for (let n = 0; n < 3; n += 1) {
      await testWorker(another(), () => undefined, often);
    }
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 3);
    await passTime(-HOUR_MS);
    await waitFor(async () => {
      const looks = await looksInMs(redis, keys.waiting);
      return looks.length === 3 && looks.every((ms) => ms <= often.pollIntervalMs);
    });
  });

  test("a reaper looks after its visibility timeout, however far off the lease's end is named", async () => {
    const { queue, another, passTime } = testQueue<string>();
    await queue.enqueue("x", { id: "of a dead worker" });
    await another().claim({ visibilityTimeoutMs: 30_000 });
    await passTime(-HOUR_MS);
    const { worker, next } = watchedWorker(queue, () => undefined, {
      ...patient,
      visibilityTimeoutMs: 300,
    });
    const stalled = next("stalled");
    await worker.start();
    await waitFor(() => worker.health().lastLookAgeMs !== undefined); // the lease ends in an hour, it heard
    await passTime(HOUR_MS + 30_000);
    expect(await stalled).toEqual({ ids: ["of a dead worker"] });
  });
});

/** When each waiting worker is down to look, from now, by Redis's clock. */
async function looksInMs(redis: Redis, waitingKey: string): Promise<number[]> {
  const looks = await redis.zrange(waitingKey, 0, "-1", "WITHSCORES");
  const [seconds, microseconds] = await redis.time();
  const now = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  return looks.filter((_, index) => index % 2 === 1).map((look) => Number(look) - now);
}
