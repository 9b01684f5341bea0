/** A worker that only wake-ups can rouse still hears them after its queue has moved to another node. */
import { Cluster } from "ioredis";
import { Cluster as Cluster5 } from "ioredis5";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { RedisServer } from "../../tools/redis/start-server.ts";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { Queue } from "../../src/index.ts";
import { clusterClient, moveSlot, nameOn, slotOfQueue } from "../helpers/cluster.ts";
import { collector } from "../helpers/holdfast.ts";
import { wakeChannelPrefix } from "../../src/core/store/keys.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});
afterAll(() => cluster.stop());

/** With ioredis's defaults: it asks where slots are only when a node sends it elsewhere. */
function plainClient(ClusterOf: typeof Cluster): Cluster {
  const client = new ClusterOf(cluster.addresses);
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

/** A queue on the primary of slot 0, with an idle worker. */
async function idleWorker({
  connection = clusterClient(cluster),
  pollIntervalMs = 600_000, // never
} = {}) {
  const primary = await cluster.primaryOf(0);
  const name = await nameOn(cluster, primary);
  const queue = new Queue<number>(name, { connection, enqueueTimeoutMs: 30_000 });
  onTestFinished(() => queue.close());
  const ran = collector<number>(Infinity);
  const { worker } = watchedWorker<number>(queue, (job) => ran.add(job.data), {
    pollIntervalMs,
  });
  await worker.start();
  await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
  const runs = async (data: number) => {
    await queue.enqueue(data);
    await waitFor(() => ran.values.includes(data), { timeoutMs: 20_000, what: `job ${data} runs` });
  };
  await runs(1);
  const channel = wakeChannelPrefix("holdfast", name) + worker.id;
  const isHeardAt = async (node: RedisServer) => {
    const reply = await cluster.client(node).call("PUBSUB", "SHARDNUMSUB", channel);
    return Number((reply as unknown[])[1]) === 1;
  };
  return { primary, runs, isHeardAt, slot: await slotOfQueue(cluster, name) };
}

test("after its slot has moved to another node, and back", async () => {
  const { primary, slot, runs } = await idleWorker();
  const away = cluster.nodes[1]!;
  let data = 1;
  for (const target of [away, primary, away, primary]) {
    await moveSlot(cluster, slot, target);
    expect(await cluster.primaryOf(slot)).toBe(target);
    // Nobody hears of the first, until the worker listens at the new place and looks; the second is heard.
    await runs((data += 1));
    await runs((data += 1));
  }
}, 90_000);

test.each([
  ["ioredis 6", Cluster],
  ["ioredis 5", Cluster5 as unknown as typeof Cluster],
])(
  "after its slot has moved while it has nothing to send: %s",
  async (_, ClusterOf) => {
    const { primary, slot, isHeardAt } = await idleWorker({ connection: plainClient(ClusterOf) });
    const away = cluster.nodes[1]!;
    for (const target of [away, primary]) {
      await moveSlot(cluster, slot, target);
      await waitFor(() => isHeardAt(target), {
        timeoutMs: 20_000,
        what: "the worker listens there",
      });
    }
  },
  90_000,
);

test("after its node has fallen silent and was replaced", async () => {
  const connection = plainClient(Cluster);
  const { primary, slot, isHeardAt } = await idleWorker({ connection, pollIntervalMs: 500 });
  await primary.kill("SIGSTOP");
  onTestFinished(async () => {
    await primary.kill("SIGCONT");
    await cluster.waitUntilWhole();
  });
  const successor = await cluster.successorOf(primary, slot);
  await waitFor(() => isHeardAt(successor), {
    timeoutMs: 30_000,
    what: "the worker listens there",
  });
}, 90_000);

test("after a failover", async () => {
  const { primary, slot, runs } = await idleWorker();
  await primary.kill("SIGKILL");
  await runs(2);
  expect(await cluster.primaryOf(slot)).not.toBe(primary);
  await runs(3);
  await primary.restart();
  await cluster.waitUntilWhole();
  await runs(4);
}, 90_000);
