/** Work goes on through restarts, kills, flushes and cuts of the connection. */
import { randomInt } from "node:crypto";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { fixed, HoldfastError, type Job, type Queue } from "../../src/index.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { faultyLink } from "../helpers/faulty-link.ts";
import { gate } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

/** So long that no test could wait for its end. */
const minutes = { visibilityTimeoutMs: 600_000, pollIntervalMs: 600_000 };

let server: RedisServer;
beforeAll(async () => {
  server = await startServer({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
});
afterAll(() => server?.stop());

/** What the process emits of this kind while the test runs. */
function emitted(event: "unhandledRejection" | "warning"): unknown[] {
  const seen: unknown[] = [];
  const note = (what: unknown) => seen.push(what);
  process.on(event, note);
  onTestFinished(() => void process.off(event, note));
  return seen;
}

async function state(queue: Queue<number>) {
  const { delayed, due, processing, dead, totals } = await queue.stats();
  const { isSound } = await queue.verify();
  const { enqueued, completed, buried } = totals;
  return { there: delayed + due + processing + dead, enqueued, completed, buried, isSound };
}

/** Each job was enqueued once and completed once. */
const allDone = (jobs: number) => ({
  there: 0,
  enqueued: jobs,
  completed: jobs,
  buried: 0,
  isSound: true,
});

const items = (count: number) => Array.from({ length: count }, (_, data) => ({ data }));

describe("a server that is killed", () => {
  test("and comes back: the worker goes on by itself, nothing is lost", async () => {
    const unhandled = emitted("unhandledRejection");
    const { near, another } = await faultyLink<number>({}, server.url);
    await near.enqueueMany(items(200));
    const ran = new Map<number, number>();
    const { worker, seen } = watchedWorker(
      another(),
      (job: Job<number>) => void ran.set(job.data, (ran.get(job.data) ?? 0) + 1),
      { concurrency: 4, visibilityTimeoutMs: 3_000, backoff: fixed({ delayMs: 0 }) },
    );
    await worker.start();
    for (const done of [40, 90, 140]) {
      await waitFor(() => ran.size >= done);
      await server.kill("SIGKILL");
      await server.restart();
    }
    await waitFor(
      async () => (await near.stats().catch(() => undefined))?.totals.completed === 200,
    );
    expect(ran.size).toBe(200);
    await worker.close();
    expect(await state(near)).toEqual(allDone(200));
    expect(seen.error.every((error) => error instanceof HoldfastError && error.retryable)).toBe(
      true,
    );
    expect(unhandled).toEqual([]);
  });

  test("while producers go on: what was confirmed is there, once", async () => {
    const unhandled = emitted("unhandledRejection");
    const { another, near } = await faultyLink<number>({ enqueueTimeoutMs: 60_000 }, server.url);
    const producer = another();
    let confirmed = 0;
    const enqueued = Promise.all(
      Array.from({ length: 20 }, async (_, lane) => {
        for (let n = 0; n < 20; n += 1) {
          await producer.enqueue(lane * 20 + n);
          confirmed += 1;
        }
      }),
    );
    await waitFor(() => confirmed > 100);
    await server.kill("SIGKILL");
    await server.restart();
    await enqueued;
    expect(await near.stats()).toMatchObject({ due: 400, totals: { enqueued: 400 } });
    expect(await near.verify()).toMatchObject({ isSound: true, jobs: 400 });
    expect(unhandled).toEqual([]);
  });
});

test("many outcomes that wait for a server raise no warning", async () => {
  const warnings = emitted("warning");
  const { near, far, proxy } = await faultyLink<number>({}, server.url);
  await near.enqueueMany(items(50));
  let running = 0;
  const { worker, seen } = watchedWorker(
    far,
    async () => {
      running += 1;
      await waitFor(() => running === 50);
      proxy.refuse(true);
      proxy.cut();
    },
    { ...minutes, concurrency: 50 },
  );
  await worker.start();
  await waitFor(() => worker.health().unsettled === 50 && seen.error.length > 2);
  proxy.refuse(false);
  await waitFor(() => seen.completed.length === 50);
  expect(await state(near)).toEqual(allDone(50));
  expect(warnings).toEqual([]);
});

/** Makes the server a replica until it has refused a write. */
async function demoteUntilRefused(redis: Redis): Promise<void> {
  await redis.config("RESETSTAT");
  await redis.replicaof("127.0.0.1", "1");
  try {
    await waitFor(async () => (await redis.info("errorstats")).includes("READONLY"));
  } finally {
    await redis.replicaof("NO", "ONE");
  }
}

describe("a primary that becomes a replica for a while", () => {
  test("outcomes reach it once it is a primary again", async () => {
    const { near, far, redis } = await faultyLink<number>({}, server.url);
    const go = gate();
    const { worker, seen } = watchedWorker(far, () => go.promise, { ...minutes, concurrency: 1 });
    await worker.start();
    await near.enqueue(1);
    await waitFor(() => worker.health().running === 1);
    const demoted = demoteUntilRefused(redis);
    await waitFor(async () => (await redis.info("replication")).includes("role:slave"));
    go.resolve();
    await demoted;
    await waitFor(() => seen.completed.length === 1);
    expect(await state(near)).toEqual(allDone(1));
  });

  test("an enqueue waits for it", async () => {
    const { near, far, redis } = await faultyLink<number>({ enqueueTimeoutMs: 60_000 }, server.url);
    await far.stats();
    const demoted = demoteUntilRefused(redis);
    await waitFor(async () => (await redis.info("replication")).includes("role:slave"));
    const enqueued = far.enqueue(1);
    await Promise.all([demoted, enqueued]);
    expect(await enqueued).toMatchObject({ status: "created" });
    expect((await near.stats()).totals.enqueued).toBe(1);
  });
});

describe("scripts that are flushed", () => {
  test("during work are loaded again", async () => {
    const { near, far, redis } = await faultyLink<number>({}, server.url);
    const { worker, seen } = watchedWorker(far, () => undefined, { ...minutes, concurrency: 5 });
    await worker.start();
    for (let done = 0; done < 400; done += 20) {
      await near.enqueueMany(items(20));
      await waitFor(() => seen.completed.length > done);
      await redis.script("FLUSH");
      await waitFor(() => seen.completed.length === done + 20);
    }
    expect(await state(near)).toEqual(allDone(400));
    expect(seen.error).toEqual([]);
  });

  test("again and again cost no job its outcome", async () => {
    const { near, far, redis } = await faultyLink<number>({}, server.url);
    const { worker, seen } = watchedWorker(far, () => undefined, { ...minutes, concurrency: 5 });
    await worker.start();
    for (let n = 0; n < 200; n += 1) {
      // One flush falls somewhere between this job's enqueue and the end of an earlier one.
      await Promise.all([near.enqueue(n), redis.script("FLUSH")]);
    }
    await waitFor(() => seen.completed.length === 200);
    expect(await state(near)).toEqual(allDone(200));
  });
});

describe("connections that the server kills", () => {
  test("work goes on", async () => {
    const { near, far, redis } = await faultyLink<number>({}, server.url);
    const { worker, seen, counts } = watchedWorker(far, () => undefined, minutes);
    await worker.start();
    for (let round = 1; round <= 10; round += 1) {
      await near.enqueueMany(items(20));
      await redis.call("CLIENT", "KILL", "TYPE", "normal");
      await waitFor(() => seen.completed.length === round * 20);
    }
    await worker.close();
    expect(await state(near)).toEqual(allDone(200));
    expect(counts()).not.toHaveProperty("lease-lost");
  });

  test("a job enqueued while the subscriber was down runs as soon as it is back", async () => {
    const { near, far, proxy, redis } = await faultyLink<number>({}, server.url);
    const { worker, seen, next } = watchedWorker(far, () => undefined, minutes);
    await worker.start();
    await waitFor(async () => (await near.stats()).waitingWorkers === 1);
    proxy.refuse(true);
    await redis.call("CLIENT", "KILL", "TYPE", "pubsub");
    await waitFor(() => proxy.connectionCount === 1);
    await near.enqueue(1);
    // Nobody heard of it: the server has dropped the worker from those that wait.
    expect(await near.stats()).toMatchObject({ due: 1, waitingWorkers: 0 });
    const completed = next("completed");
    proxy.refuse(false);
    await completed;
    expect(seen.error).toEqual([]);
  });
});

test("connections cut at random under load: every job is done once", async () => {
  const unhandled = emitted("unhandledRejection");
  const jobs = 400;
  const { near, far, proxy } = await faultyLink<number>({}, server.url);
  // Some of what is under way is caught between the proxy and either end.
  proxy.setLatencyMs(1);
  let cuts = 0;
  let untilCut = 1;
  const workers = [1, 2, 4].map((concurrency) => {
    const watched = watchedWorker(
      far,
      (job) => {
        if (job.data % 10 === 0 && job.attempt === 1) throw new Error("once");
      },
      { ...minutes, concurrency, backoff: fixed({ delayMs: 0 }) },
    );
    watched.worker.on("completed", () => {
      untilCut -= 1;
      if (untilCut === 0) {
        proxy.cut();
        cuts += 1;
        untilCut = randomInt(1, 16);
      }
    });
    return watched;
  });
  await Promise.all(workers.map(({ worker }) => worker.start()));
  for (let n = 0; n < jobs; n += 40) {
    await Promise.all(
      // Not through the proxy: a job that has run before its enqueue is repeated would run once more.
      items(40).map(({ data }) => near.enqueue(n + data, { id: `${n + data}` })),
    );
  }
  const ids = () => workers.flatMap(({ seen }) => seen.completed.map(({ job }) => job.id));
  await waitFor(() => new Set(ids()).size === jobs);
  await Promise.all(workers.map(({ worker }) => worker.close()));
  expect(cuts).toBeGreaterThan(20);
  expect(ids()).toHaveLength(jobs);
  expect(await state(near)).toEqual(allDone(jobs));
  expect(workers.flatMap(({ seen }) => seen["lease-lost"])).toEqual([]);
  expect(unhandled).toEqual([]);
  await far.stats();
});
