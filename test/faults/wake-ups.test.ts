/** A worker that only wake-ups can rouse still hears them after its queue has moved to another node. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { Queue } from "../../src/index.ts";
import { clusterClient, moveSlot, nameOn, slotOfQueue } from "../helpers/cluster.ts";
import { collector } from "../helpers/holdfast.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});
afterAll(() => cluster.stop());

/** A queue on the first primary, with an idle worker that never polls. */
async function idleWorker() {
  const [primary] = cluster.nodes;
  const name = await nameOn(cluster, primary!);
  const connection = clusterClient(cluster);
  const queue = new Queue<number>(name, { connection, enqueueTimeoutMs: 30_000 });
  onTestFinished(() => queue.close());
  const ran = collector<number>(Infinity);
  const { worker } = watchedWorker<number>(queue, (job) => ran.add(job.data), {
    pollIntervalMs: 600_000,
  });
  await worker.start();
  await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
  const runs = async (data: number) => {
    await queue.enqueue(data);
    await waitFor(() => ran.values.includes(data), { timeoutMs: 20_000, what: `job ${data} runs` });
  };
  await runs(1);
  return { primary: primary!, name, queue, runs, slot: await slotOfQueue(cluster, name) };
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
