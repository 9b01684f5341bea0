/** One queue spread over several shards: the same queue to its users. */
import { describe, expect, onTestFinished, test } from "vitest";
import { queueKeys, shardTags } from "../../src/core/store/keys.ts";
import { DeadLetter, Queue, type QueueOptions } from "../../src/index.ts";
import { collector, gate, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, testConnection, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const SHARDS = 4;
const numbers = Array.from({ length: 200 }, (_, index) => index);

/** A queue of several shards, which the test's end removes. */
function shardedQueue<T = number>(options: QueueOptions<T> = {}) {
  const name = uniqueName("shards");
  const redis = rawRedis();
  const shards = shardTags(name, SHARDS).map((tag) => queueKeys("holdfast", tag));
  onTestFinished(async () => {
    const all = [...shards, queueKeys("holdfast", name)];
    await Promise.all(all.map((keys) => redis.del(Object.values(keys))));
  });
  const open = (more: QueueOptions<T> = {}) => {
    const connection = testConnection();
    const queue = new Queue<T>(name, { connection, shards: SHARDS, ...options, ...more });
    onTestFinished(() => queue.close());
    return queue;
  };
  return { queue: open(), open, name, redis, shards };
}

describe("jobs", () => {
  test("lie in the shard that their id tells, evenly, and are found there", async () => {
    const { queue, redis, shards } = shardedQueue();
    const results = await queue.enqueueMany(numbers.map((data) => ({ data, delayMs: 60_000 })));
    const sizes = await Promise.all(shards.map(({ delayed }) => redis.zcard(delayed)));
    expect(sizes.reduce((sum, size) => sum + size)).toBe(numbers.length);
    expect(Math.min(...sizes)).toBeGreaterThan(numbers.length / SHARDS / 2);

    for (const [index, { id }] of results.slice(0, 20).entries()) {
      expect(await queue.get(id)).toMatchObject({ id, data: index, state: "delayed" });
      expect((await queue.enqueue(1, { id })).status).toBe("duplicate");
      expect((await queue.reschedule(id, { delayMs: 1_000_000 })).status).toBe("rescheduled");
      expect(await queue.cancel(id)).toBe("cancelled");
      expect(await queue.cancel(id)).toBe("gone");
    }
    expect(await queue.stats()).toMatchObject({
      delayed: 180,
      totals: { enqueued: 200, cancelled: 20 },
    });
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 180 });
  });

  test("are all run, and each wakes a worker that watches", async () => {
    const { queue } = shardedQueue();
    const done = collector<number>(numbers.length);
    await testWorker(queue, (job) => done.add(job.data), { pollIntervalMs: 600_000 });
    await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
    await Promise.all(numbers.map((data) => queue.enqueue(data, { delayMs: data % 7 })));
    expect((await done.full).toSorted((a, b) => a - b)).toEqual(numbers);
    await waitFor(async () => (await queue.stats()).totals.completed === numbers.length);
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
  });

  test("are found by polling alone too", async () => {
    const { queue } = shardedQueue({ wakeups: false });
    const done = collector<number>(20);
    await testWorker(queue, (job) => done.add(job.data), { pollIntervalMs: 20 });
    await queue.enqueueMany(numbers.slice(0, 20).map((data) => ({ data })));
    await done.full;
  });

  test("of all shards get their turn, however few slots there are", async () => {
    const { queue, redis, shards } = shardedQueue();
    await queue.enqueueMany(numbers.map((data) => ({ data })));
    const delays = Object.fromEntries(
      await Promise.all(
        shards.map(async ({ delayed }, index) => [index, await redis.zrange(delayed, 0, "-1")]),
      ),
    ) as Record<number, string[]>;
    const shardOf = new Map(
      Object.entries(delays).flatMap(([shard, ids]) => ids.map((id) => [id, Number(shard)])),
    );
    const order = collector<number>(100);
    await testWorker(queue, (job) => order.add(shardOf.get(job.id)!), { concurrency: 1 });
    const counts = [0, 0, 0, 0];
    for (const shard of await order.full) {
      counts[shard]! += 1;
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
    }
  });

  test("are never more than the slots", async () => {
    const { queue } = shardedQueue();
    await queue.enqueueMany(numbers.map((data) => ({ data })));
    let running = 0;
    let most = 0;
    const done = collector<number>(numbers.length);
    const handler = async ({ data }: { data: number }) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      done.add(data);
    };
    const worker = await testWorker(queue, handler, { concurrency: 5 });
    const held: number[] = [];
    const watch = setInterval(() => held.push(worker.health().running), 1);
    await done.full;
    clearInterval(watch);
    expect(most).toBeLessThanOrEqual(5);
    expect(Math.max(0, ...held)).toBeLessThanOrEqual(5);
  });
});

describe("a worker on all shards", () => {
  test("reports that they are drained once all are empty", async () => {
    const { queue } = shardedQueue();
    await queue.enqueueMany(numbers.map((data) => ({ data })));
    let done = 0;
    const worker = await testWorker(queue, () => void (done += 1), {
      concurrency: 3,
      pollIntervalMs: 3_600_000,
    });
    const drained = gate<number>();
    worker.on("drained", () => drained.resolve(done));
    expect(await drained.promise).toBe(numbers.length);
    expect(worker.health()).toMatchObject({ healthy: true, running: 0 });
  });

  test("gives back what it holds when it closes, and leaves no name behind", async () => {
    const { queue, redis, shards } = shardedQueue();
    await queue.enqueueMany(numbers.slice(0, 12).map((data) => ({ data })));
    const started = collector<number>(8);
    const held = gate();
    const handler = ({ data }: { data: number }) => {
      started.add(data);
      return held.promise;
    };
    const worker = await testWorker(queue, handler, { concurrency: 8 });
    await started.full;
    expect(await worker.close({ timeoutMs: 0 })).toEqual({
      finished: 0,
      released: 8,
      abandoned: 0,
    });
    held.resolve();
    expect(await queue.stats()).toMatchObject({ due: 12, processing: 0, waitingWorkers: 0 });
    for (const { claims, waiting } of shards) {
      expect(await redis.exists(claims, waiting)).toBe(0);
    }
  });

  test("runs again the jobs of one that is gone", async () => {
    const { queue, open, redis, shards } = shardedQueue();
    await queue.enqueueMany(numbers.slice(0, 20).map((data) => ({ data })));
    const lost = await open().claim({ max: 20, visibilityTimeoutMs: 60_000 });
    expect(lost).toHaveLength(20);
    for (const { processing } of shards) {
      for (const lease of await redis.zrange(processing, 0, "-1")) {
        await redis.zincrby(processing, -60_001, lease);
      }
    }
    const done = collector<number>(20);
    await testWorker(queue, (job) => done.add(job.data));
    await done.full;
    expect(await lost[0]!.ack()).not.toBe("done");
  });
});

describe("a claim by hand", () => {
  test("takes from all shards, up to what is asked for", async () => {
    const { queue } = shardedQueue();
    await queue.enqueueMany(numbers.slice(0, 40).map((data) => ({ data })));
    const seen: number[] = [];
    while (seen.length < 40) {
      const deliveries = await queue.claim({ max: 7 });
      expect(deliveries).toHaveLength(Math.min(7, 40 - seen.length));
      seen.push(...deliveries.map(({ data }) => data as number));
      expect(await Promise.all(deliveries.map((each) => each.ack()))).not.toContain("gone");
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(numbers.slice(0, 40));
    expect(await queue.claim()).toEqual([]);
  });

  test("that waits is woken by a job of any shard", async () => {
    const { queue, open } = shardedQueue();
    const waiting = open();
    for (const id of ["a", "b", "c", "d", "e", "f"]) {
      const claim = waiting.claim({ waitMs: 600_000 });
      await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
      await queue.enqueue(1, { id });
      const [delivery] = await claim;
      expect(delivery?.id).toBe(id);
      await delivery!.ack();
    }
  });
});

describe("administration covers all shards", () => {
  test("pause and resume", async () => {
    const { queue, redis, shards } = shardedQueue();
    await queue.pause();
    await queue.enqueueMany(numbers.map((data) => ({ data })));
    expect(await queue.claim({ max: 10 })).toEqual([]);
    expect((await queue.stats()).paused).toBe(true);
    const done = collector<number>(numbers.length);
    await testWorker(queue, (job) => done.add(job.data), { pollIntervalMs: 600_000 });
    await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
    await queue.resume();
    await done.full;
    await redis.hset(shards[2]!.meta, "paused", 1);
    expect((await queue.stats()).paused).toBe(true);
  });

  test("dead letters: listed oldest first, redriven and purged", async () => {
    const { queue, redis, shards } = shardedQueue();
    await queue.enqueueMany(numbers.slice(0, 30).map((data) => ({ data, id: `dead-${data}` })));
    const worker = await testWorker(queue, () => {
      throw new DeadLetter("no");
    });
    await waitFor(async () => (await queue.stats()).dead === 30);
    await worker.close();
    // Three died at a time, in shards that have nothing to do with their order.
    for (const data of numbers.slice(0, 30)) {
      const at = 1_000 + Math.floor(data / 3);
      for (const { dead } of shards) await redis.zadd(dead, "XX", at, `dead-${data}`);
    }
    const listed: number[] = [];
    for (let cursor: string | undefined, first = true; first || cursor; first = false) {
      const page = await queue.dead.list({ limit: 7, ...(cursor && { cursor }) });
      listed.push(...page.jobs.map(({ data }) => data as number));
      cursor = page.cursor;
    }
    const byId = (one: number, other: number) => (`${one}` < `${other}` ? -1 : 1);
    const expected = Array.from({ length: 10 }, (_, at) => [3 * at, 3 * at + 1, 3 * at + 2]);
    expect(listed).toEqual(expected.flatMap((group) => group.toSorted(byId)));

    expect(await queue.dead.redrive({ ids: ["dead-29", "dead-7", "none"] })).toBe(2);
    expect(await queue.dead.redrive({ limit: 4 })).toBe(4);
    expect(await queue.dead.purge({ limit: 100, diedBefore: new Date(1_003) })).toBe(4);
    expect(await queue.stats()).toMatchObject({
      dead: 20,
      due: 6,
      totals: { redriven: 6, purged: 4 },
    });
    expect((await queue.claim({ max: 9 })).map(({ id }) => id)).toContain("dead-0");
  });

  test("verify, with repair", async () => {
    const { queue, redis, shards } = shardedQueue();
    await queue.enqueueMany(numbers.map((data) => ({ data })));
    for (const { delayed } of shards) await redis.zremrangebyrank(delayed, 0, 0);
    const report = await queue.verify({ repair: true });
    expect(report).toMatchObject({ isSound: false, jobs: 200, breachCount: SHARDS });
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 200 });
  });
});
