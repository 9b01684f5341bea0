/** Extensions asked for at the same time, by hand and by handlers: they travel together. */
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ClosedError,
  HoldfastError,
  LeaseLostError,
  type Queue,
  RedisUnavailableError,
} from "../../src/index.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import type { CommandMonitor } from "../../tools/redis/command-monitor.ts";
import { openCommandMonitor } from "../helpers/command-monitor.ts";
import { callOf, type FaultyLink, faultyLink } from "../helpers/faulty-link.ts";
import { gate } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let server: RedisServer;
let admin: Redis;
let monitor: CommandMonitor;
beforeAll(async () => {
  server = await startServer();
  admin = rawRedis(server.url);
  monitor = await openCommandMonitor(admin);
});
afterAll(async () => {
  monitor?.close();
  admin?.disconnect();
  await server?.stop();
});

failOnLeaks();

const JOBS = 100;
const minutes = { visibilityTimeoutMs: 600_000, pollIntervalMs: 600_000 };

interface Held {
  readonly id: string;
  extend(): Promise<void>;
}

/** A queue whose jobs are all held through the link. */
interface Scene extends FaultyLink<string> {
  readonly held: Held[];
  /** Lets handlers that hold the jobs end. */
  finish(): void;
}

async function enqueueJobs(queue: Queue<string>): Promise<void> {
  await queue.enqueueMany(Array.from({ length: JOBS }, (_, n) => ({ data: "x", id: `job-${n}` })));
}

const holders: Record<string, () => Promise<Scene>> = {
  "by hand": async () => {
    const link = await faultyLink({}, server.url);
    await enqueueJobs(link.near);
    const { visibilityTimeoutMs } = minutes;
    const held = await link.far.claim({ max: JOBS, visibilityTimeoutMs });
    return { ...link, held, finish: () => {} };
  },
  "by handlers": async () => {
    const link = await faultyLink({}, server.url);
    const held: Held[] = [];
    const go = gate();
    const { worker } = watchedWorker(
      link.far,
      (job) => {
        held.push(job);
        return go.promise;
      },
      { ...minutes, concurrency: JOBS },
    );
    await worker.start();
    await enqueueJobs(link.near);
    await waitFor(() => held.length === JOBS);
    return { ...link, held, finish: () => go.resolve() };
  },
};

const extendAll = (held: readonly Held[]) => Promise.all(held.map((job) => job.extend()));

async function reasonsOf(calls: Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(calls);
  return results.map((result) => (result.status === "rejected" ? result.reason : undefined));
}

/** Makes all leases end at once, so that an extension shows. */
async function endLeases({ redis, keys }: Scene): Promise<string[]> {
  const leases = await redis.zrange(keys.processing, "0", "-1");
  for (const lease of leases) await redis.zadd(keys.processing, 1, lease);
  return leases;
}

const countExtended = ({ redis, keys }: Scene) => redis.zcount(keys.processing, "(1", "+inf");

describe.each(Object.entries(holders))("%s", (_, hold) => {
  test("a hundred are one call", async () => {
    const scene = await hold();
    const { held, finish } = scene;
    await endLeases(scene);
    const commands = await monitor.during(() => extendAll(held));
    expect(commands.filter(({ name }) => name === "extend")).toHaveLength(1);
    expect(await countExtended(scene)).toBe(JOBS);
    finish();
  });

  test("a refused one fails alone", async () => {
    const scene = await hold();
    const { held, finish } = scene;
    const lost = (await endLeases(scene))[7]!;
    await scene.redis.zrem(scene.keys.processing, lost);
    const reasons = await reasonsOf(held.map((job) => job.extend()));
    for (const [index, { id }] of held.entries()) {
      if (lost.startsWith(`${id}:`)) expect(reasons[index]).toBeInstanceOf(LeaseLostError);
      else expect(reasons[index]).toBeUndefined();
    }
    expect(await countExtended(scene)).toBe(JOBS - 1);
    finish();
  });

  test("the same job twice is extended for both callers", async () => {
    const { held, finish } = await hold();
    await extendAll([held[0]!, held[1]!, held[0]!]);
    finish();
  });

  test("a call without an answer fails for each of its callers, who can repeat it", async () => {
    const scene = await hold();
    const { held, finish } = scene;
    scene.proxy.dropNextReply(callOf("extend"));
    for (const reason of await reasonsOf(held.map((job) => job.extend()))) {
      expect(reason).toBeInstanceOf(RedisUnavailableError);
    }
    expect(scene.proxy.pendingDrops).toBe(0);
    await extendAll(held);
    finish();
  });

  test("a close meanwhile leaves no caller without an answer", async () => {
    const scene = await hold();
    const { held, finish } = scene;
    scene.proxy.blackHole(true);
    const rounds = await Promise.all([
      // More batches than are on the wire at a time.
      ...[0, 1, 2, 3].map(() => reasonsOf(held.map((job) => job.extend()))),
      scene.far.close(),
    ]);
    for (const reason of rounds.slice(0, -1).flat()) expect(reason).toBeInstanceOf(HoldfastError);
    await expect(held[0]!.extend()).rejects.toThrow(HoldfastError);
    finish();
  });
});

test("by hand, each for the visibility timeout of its claim", async () => {
  const { near, redis, keys } = await faultyLink({}, server.url);
  await near.enqueueMany([{ data: "x" }, { data: "y" }]);
  const [short] = await near.claim({ visibilityTimeoutMs: 60_000 });
  const [long] = await near.claim({ visibilityTimeoutMs: 3_600_000 });
  await redis.zadd(keys.processing, 1, `${short!.id}:${short!.fencingToken}`);
  await redis.zadd(keys.processing, 1, `${long!.id}:${long!.fencingToken}`);
  await Promise.all([long!.extend(), short!.extend()]);
  const scores = (await redis.zrange(keys.processing, "0", "-1", "WITHSCORES")).map(Number);
  const [seconds] = await redis.time();
  expect(Math.round((scores[1]! - Number(seconds) * 1_000) / 60_000)).toBe(1);
  expect(Math.round((scores[3]! - Number(seconds) * 1_000) / 60_000)).toBe(60);
});

test("a closed worker refuses an extension", async () => {
  const { near } = await faultyLink({}, server.url);
  const held = gate<Held>();
  const go = gate();
  const { worker } = watchedWorker(near, (job) => (held.resolve(job), go.promise), minutes);
  await worker.start();
  await near.enqueue("x");
  const job = await held.promise;
  await worker.close({ timeoutMs: 0 });
  await expect(job.extend()).rejects.toThrow(ClosedError);
  go.resolve();
});
