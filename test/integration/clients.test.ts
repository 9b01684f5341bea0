/** The clients that may carry a queue. */
import { once } from "node:events";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster5, Redis as Redis5 } from "ioredis5";
import { expect, onTestFinished, test } from "vitest";
import { startServer } from "../../tools/redis/start-server.ts";
import { Queue, Worker } from "../../src/index.ts";
import type { Connection } from "../../src/index.ts";
import { collector } from "../helpers/holdfast.ts";
import { testRedisUrl, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** A job through every station that talks to Redis differently, with polling too slow to help. */
async function roundTrip(connection: Connection): Promise<void> {
  const queue = new Queue<number>(uniqueName("clients"), { connection });
  const done = collector<number>(3);
  const worker = new Worker(queue, (job) => done.add(job.data), { pollIntervalMs: 600_000 });
  const errors: Error[] = [];
  worker.on("error", (error) => errors.push(error));
  try {
    await worker.start();
    await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
    await queue.enqueue(1);
    await queue.enqueueMany([{ data: 2 }, { data: 3, delayMs: 50 }]);
    expect((await done.full).toSorted()).toEqual([1, 2, 3]);
    await waitFor(async () => (await queue.stats()).totals.completed === 3);
    expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
    expect(errors).toEqual([]);
  } finally {
    await worker.close();
    await queue.close();
  }
}

function closedAfterTest<T extends { disconnect(): void }>(client: T): T {
  onTestFinished(() => client.disconnect());
  return client;
}

test("a URL", () => roundTrip(testRedisUrl()));

test("ioredis options", () => {
  const { hostname, port } = new URL(testRedisUrl());
  return roundTrip({ host: hostname, port: Number(port), connectionName: "options" });
});

test("a client of one's own", () => roundTrip(closedAfterTest(new Redis(testRedisUrl()))));

test("a client of another copy and version of ioredis", async () => {
  await roundTrip(closedAfterTest(new Redis5(testRedisUrl())) as unknown as Redis);
});

test("a client with a key prefix", async () => {
  await roundTrip(closedAfterTest(new Redis(testRedisUrl(), { keyPrefix: "app:" })));
});

test("a client without an offline queue", async () => {
  const client = closedAfterTest(new Redis(testRedisUrl(), { enableOfflineQueue: false }));
  await once(client, "ready");
  await roundTrip(client);
});

test("a client that speaks RESP2, and one that maps replies as RESP3", async () => {
  await roundTrip(closedAfterTest(new Redis(testRedisUrl(), { protocol: 2 } as object)));
  await roundTrip(closedAfterTest(new Redis(testRedisUrl(), { replyMapping: "resp3" } as object)));
});

test("a client with auto-pipelining", async () => {
  await roundTrip(closedAfterTest(new Redis(testRedisUrl(), { enableAutoPipelining: true })));
});

test.each([
  ["a cluster", Cluster, {}],
  ["a cluster without an offline queue", Cluster, { enableOfflineQueue: false }],
  ["a cluster with a key prefix", Cluster, { keyPrefix: "app:" }],
  ["a cluster of ioredis 5", Cluster5, { redisOptions: { connectionName: "five" } }],
] as const)("%s", async (_, Client, options) => {
  const server = await startServer({ args: ["--cluster-enabled", "yes"] });
  onTestFinished(() => server.stop());
  const nodes = [{ host: server.host, port: server.port }];
  const client = closedAfterTest(new Client(nodes, options)) as unknown as Cluster;
  if (client.options.enableOfflineQueue === false) await once(client, "ready");
  await roundTrip(client);
});
