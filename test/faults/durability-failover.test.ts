/** What an acknowledged enqueue loses when its primary is killed and a replica takes over. */
import { expect, onTestFinished, test } from "vitest";
import { DurabilityError, Queue, type QueueOptions, RedisRefusedError } from "../../src/index.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { missingJobs } from "../helpers/missing-jobs.ts";
import { startLoad } from "../helpers/producer-load.ts";
import { uniqueName } from "../helpers/redis.ts";
import { type ReplicatedRedis, startReplicatedRedis } from "../helpers/replicated-redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

function open(
  url: string,
  name = uniqueName("failover"),
  options: QueueOptions<string> = {},
): Queue<string> {
  const queue = new Queue<string>(name, { connection: url, enqueueTimeoutMs: 500, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

const named = (label: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ id: `${label}-${n}`, data: "x" }));

/** The primary dies for good, and its replica is made the primary. */
async function failOver({ primary, replicas }: ReplicatedRedis): Promise<string> {
  await primary.kill("SIGKILL");
  await replicas[0]!.link.stop();
  await replicas[0]!.promote();
  return replicas[0]!.server.url;
}

/** What is left is a sound queue, which a worker runs to its end. */
async function expectSound(url: string, name: string, jobs: number): Promise<void> {
  const queue = open(url, name);
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs });
  const { worker, seen } = watchedWorker(queue, () => undefined);
  await worker.start();
  await waitFor(() => seen.completed.length === jobs);
  expect(await queue.stats()).toMatchObject({ due: 0, delayed: 0, processing: 0, dead: 0 });
}

test("a replica that lags takes over: without a wait, all that it lacked is lost", async () => {
  const redis = await startReplicatedRedis();
  const queue = open(redis.primary.url);
  await queue.enqueueMany(named("before", 50));
  await redis.inSync();
  redis.replicas[0]!.link.blackHole(true);
  const acknowledged = await queue.enqueueMany(named("lagging", 70));
  const ids = acknowledged.map(({ id }) => id);
  const url = await failOver(redis);
  expect(await missingJobs(url, queue.name, ids)).toEqual(ids);
  await expectSound(url, queue.name, 50);
});

test("the same with a wait: none of them was acknowledged", async () => {
  const redis = await startReplicatedRedis();
  const durability = { replicas: 1, timeoutMs: 1_000 };
  const queue = open(redis.primary.url, undefined, { durability });
  const before = await queue.enqueueMany(
    named("before", 50).map((job) =>
      Object.assign(job, { durability: { replicas: 1, timeoutMs: 10_000 } }),
    ),
  );
  redis.replicas[0]!.link.blackHole(true);
  const lagging = named("lagging", 70);
  const outcomes = await Promise.allSettled(
    lagging.map(({ id, data }) => queue.enqueue(data, { id })),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(lagging.map(() => "rejected"));
  for (const [index, outcome] of outcomes.entries()) {
    const { reason } = outcome as PromiseRejectedResult;
    expect(reason).toBeInstanceOf(DurabilityError);
    expect((reason as DurabilityError).id).toBe(lagging[index]!.id);
  }
  const url = await failOver(redis);
  expect(
    await missingJobs(
      url,
      queue.name,
      before.map(({ id }) => id),
    ),
  ).toEqual([]);
  await expectSound(url, queue.name, 50);
  // What the callers do: the same ids again, on the new primary.
  const again = await open(url, queue.name).enqueueMany(lagging);
  expect(new Set(again.map(({ status }) => status))).toEqual(new Set(["created"]));
});

test.each([1, 2, 3])(
  "killed under load, with a wait: nothing acknowledged is lost, run %i",
  async () => {
    const redis = await startReplicatedRedis();
    const name = uniqueName("failover");
    const durability = { replicas: 1, timeoutMs: 1_000 };
    const producers = [1, 2].map(() => open(redis.primary.url, name, { durability }));
    const load = startLoad(producers);
    await load.grows(50 + Math.ceil(Math.random() * 300));
    await redis.primary.kill("SIGKILL");
    const stopped = load.stop();
    const url = await failOver(redis);
    await stopped;
    expect(load.acknowledged.size).toBeGreaterThan(50);
    expect(load.refused.length).toBeGreaterThan(0);
    expect(await missingJobs(url, name, load.acknowledged.keys())).toEqual([]);
    expect(await open(url, name).verify()).toMatchObject({ isSound: true });
  },
);

test("a primary that keeps nothing and starts again empties its replicas: a wait does not help", async () => {
  const redis = await startReplicatedRedis();
  const durability = { replicas: 1, timeoutMs: 10_000 };
  const queue = open(redis.primary.url, undefined, { durability });
  await queue.enqueueMany(named("job", 50));
  await redis.primary.kill("SIGKILL");
  await redis.primary.restart();
  await redis.inSync();
  const url = await failOver(redis);
  expect(
    await missingJobs(
      url,
      queue.name,
      named("job", 50).map(({ id }) => id),
    ),
  ).toHaveLength(50);
});

test("WAITAOF on the primary and a replica: nothing acknowledged is lost, whichever comes back", async () => {
  const redis = await startReplicatedRedis({ args: ["--appendonly", "yes"] });
  const durability = { aof: { local: 1 as const, replicas: 1 }, timeoutMs: 10_000 };
  const queue = open(redis.primary.url, undefined, { durability });
  const jobs = named("job", 300);
  const ids = jobs.map(({ id }) => id);
  const [waitAof] = (await redis.redis.command("INFO", "WAITAOF")) as unknown[];
  if (waitAof === null) {
    await expect(queue.enqueueMany(jobs)).rejects.toThrow(RedisRefusedError); // Redis 7.0
    return;
  }
  await queue.enqueueMany(jobs);
  const { server } = redis.replicas[0]!;
  await Promise.all([redis.primary.kill("SIGKILL"), server.kill("SIGKILL")]);
  await server.restart();
  const url = await failOver(redis);
  expect(await missingJobs(url, queue.name, ids)).toEqual([]);
  await redis.primary.restart();
  expect(await missingJobs(redis.primary.url, queue.name, ids)).toEqual([]);
});
