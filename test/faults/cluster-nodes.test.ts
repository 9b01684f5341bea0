/** What single nodes of a cluster do to queues: replicas, demoted, read-only, silent or cut-off primaries. */
import { once } from "node:events";
import type { Cluster } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import type { RedisServer } from "../../tools/redis/start-server.ts";
import { fixed, Queue } from "../../src/index.ts";
import * as scripts from "../../src/scripts/generated.ts";
import { clusterClient, nameOn } from "../helpers/cluster.ts";
import { startFaultProxy } from "../helpers/fault-proxy.ts";
import { callOf } from "../helpers/faulty-link.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  // The loss of some slots must not stop the others; and nothing may take over by itself.
  const args = ["--cluster-require-full-coverage", "no", "--cluster-replica-no-failover", "yes"];
  cluster = await RedisCluster.start({ args });
});
afterAll(() => cluster.stop());
beforeEach(() => cluster.waitUntilWhole());

function open(name: string, client: Cluster): Queue<number> {
  const queue = new Queue<number>(name, { connection: client });
  onTestFinished(() => queue.close());
  return queue;
}

async function primaryAndReplica(): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const primary = await cluster.primaryOf(0);
  return { primary, replica: await cluster.replicaOf(primary) };
}

/** Makes the replica the primary, without any loss. */
async function swap({ primary, replica }: { primary: RedisServer; replica: RedisServer }) {
  await cluster.client(replica).call("CLUSTER", "FAILOVER");
  await cluster.successorOf(primary, 0);
  await cluster.waitUntilWhole();
}

test("a client that starts from a replica is none of a replica", async () => {
  const { primary, replica } = await primaryAndReplica();
  const { host, port } = replica;
  const name = await nameOn(cluster, primary);
  const client = clusterClient({ addresses: [{ host, port }] });
  await once(client, "+node"); // from here on, and until it has asked, it takes this one for a primary
  expect(await open(name, client).enqueue(1)).toMatchObject({ status: "created" });
});

test("a client that still takes a demoted node for a primary finds the new one", async () => {
  const pair = await primaryAndReplica();
  const client = clusterClient(cluster, { slotsRefreshInterval: 600_000 });
  const name = await nameOn(cluster, pair.primary);
  await open(name, client).enqueue(1);
  await swap(pair);
  // Another queue object, which checks the servers anew before its first call.
  expect(await open(name, client).enqueue(2)).toMatchObject({ status: "created" });
});

test("a client whose connection has become read-only looks where the primary is now", async () => {
  const pair = await primaryAndReplica();
  const client = clusterClient(cluster, { slotsRefreshInterval: 600_000 });
  const queue = open(await nameOn(cluster, pair.primary), client);
  await queue.enqueue(1);
  // In this mode a replica runs scripts itself, instead of saying where the primary is.
  await nodeOf(client, pair.primary).readonly();
  await swap(pair);
  expect(await queue.enqueue(2)).toMatchObject({ status: "created" });
});

test("a primary that is silent does not stop queues on the others", async () => {
  const { primary: silent } = await primaryAndReplica();
  const other = await cluster.primaryOf(16_383);
  const client = clusterClient(cluster);
  const name = await nameOn(cluster, other);
  await open(name, client).enqueue(1);
  await Promise.all(client.nodes("master").map((node) => node.ping()));
  await silent.kill("SIGSTOP");
  onTestFinished(() => silent.kill("SIGCONT"));
  await cluster.client(other).script("FLUSH");
  const queue = open(name, client);
  expect(await queue.enqueue(2)).toMatchObject({ status: "created" });
  expect(await queue.stats()).toMatchObject({ due: 2 });
});

test("an outcome whose reply is lost with its node's connection is no lost lease", async () => {
  const { primary } = await primaryAndReplica();
  const proxy = await startFaultProxy({ targetHost: primary.host, targetPort: primary.port });
  onTestFinished(() => proxy.stop());
  // Known to the node, so that what a drop catches is the script's run and not its loading.
  const direct = cluster.client(primary);
  await Promise.all(Object.values(scripts).map(({ source }) => direct.script("LOAD", source)));
  const client = clusterClient(cluster, {
    natMap: { [`${primary.host}:${primary.port}`]: { host: "127.0.0.1", port: proxy.port } },
  });
  const queue = open(await nameOn(cluster, primary), client);
  const { worker, seen } = watchedWorker<number>(
    queue,
    ({ attempt }) => {
      proxy.dropNextReply(callOf(attempt === 1 ? "nack" : "ack"));
      if (attempt === 1) throw new Error("once");
    },
    { backoff: fixed({ delayMs: 0 }) },
  );
  await queue.enqueue(1);
  await worker.start();
  await waitFor(() => seen.completed.length + seen["lease-lost"].length > 0);
  expect(proxy.pendingDrops).toBe(0);
  expect(seen["lease-lost"]).toEqual([]);
  expect(seen.completed).toHaveLength(1);
  expect(seen.retried).toHaveLength(1);
});

function nodeOf(client: Cluster, { port }: RedisServer) {
  return client.nodes("all").find((node) => node.options.port === port)!;
}
