/** Redis servers whose clocks really differ, or are really set: what a worker does, and what it reports. */
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { ClockJumpError, type HoldfastError, Queue, type QueueOptions } from "../../src/index.ts";
import { type ClockServer, startClockServer } from "../helpers/clock-server.ts";
import { startFaultProxy } from "../helpers/fault-proxy.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const HOUR_S = 3_600;
const HOUR_MS = HOUR_S * 1_000;
const often = { pollIntervalMs: 50, visibilityTimeoutMs: 60_000 };

function queueOn(connection: string, options: QueueOptions<string> = {}): Queue<string> {
  const queue = new Queue<string>(uniqueName("clock"), { connection, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

function clientOf(server: ClockServer): Redis {
  const client = new Redis(server.url, { disconnectTimeout: 100 });
  onTestFinished(() => client.disconnect());
  return client;
}

const jumpsIn = (errors: readonly HoldfastError[]) =>
  errors.filter((error) => error instanceof ClockJumpError).map(({ jumpMs }) => jumpMs);

/** Within what a loaded machine may take between setting the clock and looking at it. */
const about = (ms: number) =>
  expect.toSatisfy((jumpMs: number) => Math.abs(jumpMs - ms) < 10_000, `about ${ms}`) as number;

describe("a clock that is set while workers run", () => {
  test("is told once for each time, and the worker goes on", async () => {
    const server = await startClockServer();
    const queue = queueOn(server.url);
    const { worker, seen, next } = watchedWorker(queue, () => undefined, often);
    await worker.start();
    await waitFor(() => worker.health().lastLookAgeMs !== undefined);
    for (const aheadSeconds of [HOUR_S, 0, -HOUR_S]) {
      const told = next("error");
      server.setClock(aheadSeconds);
      expect(await told).toBeInstanceOf(ClockJumpError);
      for (let n = 0; n < 3; n += 1) {
        const completed = next("completed");
        await queue.enqueue("x");
        await completed;
      }
    }
    expect(seen.error).toHaveLength(3);
    expect(jumpsIn(seen.error)).toEqual([HOUR_MS, -HOUR_MS, -HOUR_MS].map(about));
    expect(worker.health().healthy).toBe(true);
  });

  test("tokens grow however it is set", async () => {
    const server = await startClockServer();
    const queue = queueOn(server.url);
    await queue.enqueue("x", { id: "one" });
    const tokens: number[] = [];
    for (const aheadSeconds of [0, HOUR_S, 0, -HOUR_S, 0]) {
      server.setClock(aheadSeconds);
      await queue.reschedule("one", { runAt: 0 });
      const [delivery] = await queue.claim();
      tokens.push(delivery!.fencingToken);
      await delivery!.nack({ countsAttempt: false });
    }
    expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => a - b));
    expect(tokens).toHaveLength(5);
  });

  test("a server that stood still for seconds is no jump", async () => {
    const server = await startClockServer();
    const queue = queueOn(server.url);
    const { worker, seen, next } = watchedWorker(queue, () => undefined, often);
    await worker.start();
    await waitFor(() => worker.health().lastLookAgeMs !== undefined);
    await server.kill("SIGSTOP");
    await next("error"); // a look had no answer for 5 s, and is repeated
    await server.kill("SIGCONT");
    const completed = next("completed");
    await queue.enqueue("x");
    await completed;
    expect(jumpsIn(seen.error)).toEqual([]);
  });
});

/** A primary, its replica with another clock, and an address that leads to the primary of the day. */
async function pair(replicaAheadSeconds: number) {
  const [primary, replica] = await Promise.all([
    startClockServer(),
    startClockServer(replicaAheadSeconds),
  ]);
  const proxy = await startFaultProxy({ targetPort: primary.port });
  onTestFinished(() => proxy.stop());
  const old = clientOf(primary);
  const promoted = clientOf(replica);
  await old.config("SET", "repl-diskless-sync-delay", "0");
  await promoted.replicaof(primary.host, primary.port);
  await waitFor(async () => (await promoted.info("replication")).includes("master_link_status:up"));
  const failOver = async () => {
    await old.set("written", "last");
    expect(await old.wait(1, 10_000)).toBe(1);
    await promoted.replicaof("NO", "ONE");
    proxy.retarget(replica.port);
  };
  return { url: proxy.url, failOver };
}

describe("a failover to a node whose clock", () => {
  test("is an hour ahead: delayed jobs run early, held ones run again, nothing is lost", async () => {
    const { url, failOver } = await pair(HOUR_S);
    const queue = queueOn(url);
    await queue.enqueue("held");
    const [held] = await queue.claim({ visibilityTimeoutMs: 60_000 });
    await queue.enqueue("in half an hour", { delayMs: HOUR_MS / 2 });
    await queue.enqueue("in two hours", { delayMs: 2 * HOUR_MS });
    const ran = new Map<string, number>();
    const { worker, seen } = watchedWorker<string>(
      queue,
      (job) => void ran.set(job.data, job.fencingToken),
      { ...often, visibilityTimeoutMs: 1_000 },
    );
    await worker.start();
    await waitFor(() => worker.health().lastLookAgeMs !== undefined);
    await failOver();
    await waitFor(() => seen.completed.length === 2);
    expect([...ran.keys()].toSorted()).toEqual(["held", "in half an hour"]);
    expect(ran.get("held")).toBeGreaterThan(held!.fencingToken);
    expect(await held!.ack()).toBe("gone");
    expect(jumpsIn(seen.error)).toEqual([about(HOUR_MS)]);
    expect(await queue.stats()).toMatchObject({ delayed: 1, due: 0, processing: 0, dead: 0 });
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 1 });
  });

  test("is an hour behind: due jobs wait, held ones stay held, new ones run", async () => {
    const { url, failOver } = await pair(-HOUR_S);
    const queue = queueOn(url);
    await queue.enqueue("held");
    const [held] = await queue.claim({ visibilityTimeoutMs: 60_000 });
    await queue.pause();
    await queue.enqueue("due");
    const ran = new Map<string, number>();
    const { worker, seen, next } = watchedWorker<string>(
      queue,
      (job) => void ran.set(job.data, job.fencingToken),
      { ...often, visibilityTimeoutMs: 1_000 },
    );
    await worker.start();
    await waitFor(() => worker.health().lastLookAgeMs !== undefined);
    await failOver();
    await waitFor(() => jumpsIn(seen.error).length > 0);
    await queue.resume();
    const completed = next("completed");
    await queue.enqueue("new");
    await completed;
    expect([...ran.keys()]).toEqual(["new"]);
    expect(ran.get("new")).toBeGreaterThan(held!.fencingToken);
    expect(await queue.stats()).toMatchObject({ delayed: 1, due: 0, processing: 1 });
    await held!.extend();
    expect(await held!.ack()).toBe("done");
    expect(jumpsIn(seen.error)).toEqual([about(-HOUR_MS)]);
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 1 });
  });
});
