/** One sentry watches the head, and only one worker is woken for one piece of work. */
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { Worker, type WorkerOptions } from "../../src/index.ts";
import { collector, gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, serversOf, testRedisUrl, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

/** So long that a test which needs the poll interval to pass does not end. */
const patient = { pollIntervalMs: 600_000 } satisfies WorkerOptions;

describe("with wake-ups", () => {
  test("a job on an idle queue runs without waiting for the next poll", async () => {
    const { queue } = testQueue<number>();
    const done = collector<number>(3);
    const worker = await testWorker(queue, (job) => done.add(job.data), patient);
    for (const n of [1, 2, 3]) {
      const completed = once(worker, "completed");
      await queue.enqueue(n);
      await completed;
    }
    expect(done.values).toEqual([1, 2, 3]);
  });

  test("a delayed job runs when it is due, and an earlier one enqueued later runs first", async () => {
    const { queue } = testQueue<string>();
    const done = collector<[string, number]>(2);
    await testWorker(
      queue,
      (job) => done.add([job.data, Date.now() - job.dueAt.getTime()]),
      patient,
    );
    await queue.enqueue("later", { delayMs: 1_000 });
    await queue.enqueue("sooner", { delayMs: 100 });
    const ran = await done.full;
    expect(ran.map(([data]) => data)).toEqual(["sooner", "later"]);
    // By this machine's clock and Redis's, which is the same one or close to it.
    expect(ran.every(([, latenessMs]) => latenessMs > -50)).toBe(true);
  });

  test("of several idle workers, one is woken for one job", async () => {
    const { queue, another, redis, keys } = testQueue<number>();
    const done = collector<number>(1);
    for (let n = 0; n < 5; n += 1) {
      await testWorker(another(), (job) => done.add(job.data), patient);
    }
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 5);
    const claims = async () => Object.values(await redis.hgetall(keys.claims)).toSorted();
    const before = await claims();
    await queue.enqueue(7);
    await done.full;
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 5);
    const after = await claims();
    expect(after.filter((claim) => !before.includes(claim))).toHaveLength(1);
  });

  test("a burst wakes as many workers as it needs", async () => {
    const { queue, another, redis, keys } = testQueue<number>();
    const started = collector<number>(6);
    const go = gate();
    for (let n = 0; n < 3; n += 1) {
      await testWorker(
        another(),
        async (job) => {
          started.add(job.data);
          await go.promise;
        },
        { ...patient, concurrency: 2 },
      );
    }
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 3);
    await queue.enqueueMany([0, 1, 2, 3, 4, 5].map((data) => ({ data })));
    expect((await started.full).toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
    go.resolve();
  });

  test("one worker watches the head, a deputy a second later, the others sleep", async () => {
    const { queue, another, redis, keys } = testQueue<number>();
    const { dueAt } = await queue.enqueue(1, { delayMs: 300_000 });
    for (let n = 0; n < 4; n += 1) {
      await testWorker(another(), () => undefined, patient);
    }
    await waitFor(async () => (await redis.zcard(keys.waiting)) === 4);
    const looks = await redis.zrange(keys.waiting, 0, "-1", "WITHSCORES");
    const times = looks.filter((_, index) => index % 2 === 1).map(Number);
    const headDue = dueAt!.getTime();
    expect(times.slice(0, 2)).toEqual([headDue, headDue + 1_000]);
    expect(times.slice(2).every((time) => time > headDue + 200_000)).toBe(true);
  });

  test("a sentry that dies costs a second, not a poll interval", async () => {
    const { queue, another, redis, keys } = testQueue<number>();
    const { dueAt } = await queue.enqueue(1, { delayMs: 400 });
    // A sentry that nobody runs: it will not look.
    await redis.zadd(keys.waiting, dueAt!.getTime(), "dead-sentry");
    const done = collector<number>(1);
    await testWorker(another(), (job) => done.add(job.data), patient);
    await done.full;
  });

  test("a sentry that closes hands its watch over", async () => {
    const { queue, another, redis, keys } = testQueue<number>();
    const { dueAt } = await queue.enqueue(1, { delayMs: 300_000 });
    const sentry = await testWorker(another(), () => undefined, patient);
    await waitFor(
      async () => (await redis.zscore(keys.waiting, sentry.id)) === String(dueAt!.getTime()),
    );
    const other = await testWorker(another(), () => undefined, patient);
    await waitFor(async () => (await redis.zscore(keys.waiting, other.id)) !== null);
    await sentry.close();
    await waitFor(
      async () => (await redis.zscore(keys.waiting, other.id)) === String(dueAt!.getTime()),
    );
    expect(await redis.hexists(keys.claims, sentry.id)).toBe(0);
  });

  test("a worker that fills up hands its watch over", async () => {
    const { queue, another, redis, keys } = testQueue<string>();
    const go = gate();
    const handler = async () => go.promise;
    const busy = await testWorker(another(), handler, { ...patient, concurrency: 1 });
    await waitFor(async () => (await redis.zscore(keys.waiting, busy.id)) !== null);
    await queue.enqueue("now");
    await waitFor(async () => (await queue.stats()).processing === 1);
    const idle = await testWorker(another(), handler, { ...patient, concurrency: 1 });
    await waitFor(async () => (await redis.zscore(keys.waiting, idle.id)) !== null);
    await queue.enqueue("second");
    await waitFor(async () => (await queue.stats()).processing === 2);
    go.resolve();
  });

  test("a name left behind by a dead worker does not keep a job waiting", async () => {
    const { queue, redis, keys } = testQueue<number>();
    const done = collector<number>(1);
    const worker = await testWorker(queue, (job) => done.add(job.data), patient);
    await waitFor(async () => (await redis.zscore(keys.waiting, worker.id)) !== null);
    const [seconds] = await redis.time();
    for (let n = 0; n < 2; n += 1) {
      await redis.zadd(keys.waiting, Number(seconds) * 1_000 + 60_000 + n, `gone-${n}`);
    }
    await queue.enqueue(1);
    await done.full;
    expect(await redis.zrange(keys.waiting, 0, "-1")).not.toContain("gone-0");
  });

  test("nobody is woken while the queue is paused, and resume wakes", async () => {
    const { queue, redis, keys } = testQueue<number>();
    const done = collector<number>(2);
    const worker = await testWorker(queue, (job) => done.add(job.data), patient);
    await waitFor(async () => (await redis.zscore(keys.waiting, worker.id)) !== null);
    await queue.pause();
    await queue.enqueueMany([{ data: 1 }, { data: 2 }]);
    expect(await queue.stats()).toMatchObject({ paused: true, due: 2 });
    await queue.resume();
    expect(await done.full).toHaveLength(2);
    expect((await queue.stats()).paused).toBe(false);
  });
});

describe("without wake-ups", () => {
  test("polling alone finds every job, and no channel is used", async () => {
    const { queue, redis, keys } = testQueue<number>({ wakeups: false });
    const done = collector<number>(3);
    const worker = await testWorker(queue, (job) => done.add(job.data), { pollIntervalMs: 20 });
    await queue.enqueueMany([{ data: 1 }, { data: 2, delayMs: 30 }, { data: 3, delayMs: 60 }]);
    expect((await done.full).toSorted()).toEqual([1, 2, 3]);
    for (const server of serversOf(redis)) {
      expect(await server.pubsub("SHARDCHANNELS", `${keys.jobs.slice(0, -4)}*`)).toEqual([]);
    }
    await worker.close();
  });

  test("a producer without wake-ups leaves a worker with them to its polls", async () => {
    const { queue, another } = testQueue<number>();
    const done = collector<number>(1);
    await testWorker(queue, (job) => done.add(job.data), { pollIntervalMs: 20 });
    await another({ wakeups: false }).enqueue(1);
    await done.full;
  });
});

test("queues of one process share one subscriber connection", async () => {
  const { hostname, port } = new URL(testRedisUrl());
  const connection = { host: hostname, port: Number(port), connectionName: uniqueName("shared") };
  const { queue, another, keys } = testQueue<number>({ connection });
  const redis = rawRedis(testRedisUrl());
  const prefix = keys.jobs.slice(0, -"jobs".length);
  const subscribers = async () =>
    String(await redis.client("LIST", "TYPE", "PUBSUB"))
      .split("\n")
      .filter((line) => line.includes(connection.connectionName)).length;
  const workers = [queue, another(), another()].map((each) => new Worker(each, () => undefined));
  await Promise.all(workers.map((worker) => worker.start()));
  await waitFor(async () => (await redis.pubsub("SHARDCHANNELS", `${prefix}*`)).length === 3);
  expect(await subscribers()).toBe(1);
  await Promise.all(workers.map((worker) => worker.close()));
  await waitFor(async () => (await subscribers()) === 0);
});
