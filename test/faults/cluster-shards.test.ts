/** A sharded queue on a cluster: even on its nodes, and no node's death stops the others. */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { queueKeys, shardOfId, shardTags } from "../../src/core/store/keys.ts";
import { Queue } from "../../src/index.ts";
import { clusterClient } from "../helpers/cluster.ts";
import { collector } from "../helpers/holdfast.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  // Otherwise Redis itself stops all nodes while one has neither primary nor replica.
  cluster = await RedisCluster.start({ args: ["--cluster-require-full-coverage", "no"] });
});
afterAll(() => cluster.stop());
beforeEach(() => cluster.waitUntilWhole());

const SHARDS = 6;

function openQueue(name = uniqueName("spread")): Queue<number> {
  const queue = new Queue<number>(name, { connection: clusterClient(cluster), shards: SHARDS });
  onTestFinished(() => queue.close());
  return queue;
}

function primaryOfShard(name: string, shard: number) {
  const { jobs } = queueKeys("holdfast", shardTags(name, SHARDS)[shard]!);
  return cluster.slotOf(jobs).then((slot) => cluster.primaryOf(slot));
}

test("uses all three primaries, each with its third of the jobs, and all of them are run", async () => {
  const queue = openQueue();
  const items = Array.from({ length: 3_000 }, (_, data) => ({ data, delayMs: 600_000 }));
  const results = await queue.enqueueMany(items);
  const jobsByPort = new Map<number, number>();
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const primary = await primaryOfShard(queue.name, shard);
    const { jobs } = queueKeys("holdfast", shardTags(queue.name, SHARDS)[shard]!);
    const size = await cluster.client(primary).hlen(jobs);
    jobsByPort.set(primary.port, (jobsByPort.get(primary.port) ?? 0) + size);
  }
  expect(jobsByPort.size).toBe(3);
  for (const jobs of jobsByPort.values()) {
    expect(Math.abs(jobs - 1_000)).toBeLessThanOrEqual(250);
  }

  await Promise.all(results.map(({ id }) => queue.reschedule(id, { delayMs: 0 })));
  const done = collector<number>(items.length);
  const { worker } = watchedWorker(openQueue(queue.name), (job) => done.add(job.data), {
    concurrency: 100,
  });
  await worker.start();
  await done.full;
  await waitFor(async () => (await queue.stats()).totals.completed === items.length);
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
});

test("goes on at the living nodes while one is silent, and on all of them afterwards", async () => {
  const queue = openQueue();
  await queue.enqueue(0);
  const victim = await primaryOfShard(queue.name, 0);
  const owners = await Promise.all(
    Array.from({ length: SHARDS }, (_, shard) => primaryOfShard(queue.name, shard)),
  );
  const livingId = () => {
    for (;;) {
      const id = uniqueName("id");
      if (owners[shardOfId(id, SHARDS)] !== victim) return id;
    }
  };
  const runs = new Set<string>();
  const { worker, next } = watchedWorker(openQueue(queue.name), ({ id }) => void runs.add(id), {
    concurrency: 2,
    pollIntervalMs: 500,
    visibilityTimeoutMs: 5_000,
  });
  await worker.start();
  await waitFor(() => runs.size === 1);
  const replica = await cluster.replicaOf(victim);
  await replica.kill("SIGSTOP");
  await victim.kill("SIGSTOP");
  onTestFinished(async () => {
    await replica.kill("SIGCONT");
    await victim.kill("SIGCONT");
  });
  await next("error"); // a claim on the silent node was given up, and is tried again and again
  const ids = Array.from({ length: 40 }, livingId);
  for (const id of ids) await queue.enqueue(1, { id });
  await waitFor(() => ids.every((id) => runs.has(id)), { timeoutMs: 60_000, what: "the living" });

  await replica.kill("SIGCONT");
  await victim.kill("SIGCONT");
  await cluster.waitUntilWhole();
  const after = Array.from({ length: 60 }, () => uniqueName("id"));
  for (const id of after) await queue.enqueue(1, { id });
  await waitFor(() => after.every((id) => runs.has(id)), { timeoutMs: 60_000, what: "all" });
  await waitFor(async () => (await queue.verify()).jobs === 0, { timeoutMs: 30_000 });
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
}, 150_000);
