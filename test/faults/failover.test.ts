/** A primary of a cluster dies, hangs, or dies with writes that its replica never got. */
import { Cluster } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import { Queue } from "../../src/index.ts";
import { clusterClient, nameOn, slotOfQueue } from "../helpers/cluster.ts";
import { Load, tell } from "../helpers/load.ts";
import { waitFor } from "../helpers/wait-for.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});
afterAll(() => cluster.stop());
beforeEach(() => cluster.waitUntilWhole());

/** With nothing but ioredis's defaults. */
function plainClient(): Cluster {
  const client = new Cluster(cluster.addresses);
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

/** A queue on each of the three primaries, the first of which is to come to harm. */
async function threeQueues() {
  const victim = await cluster.primaryOf(0);
  const primaries = await Promise.all([0, 8_000, 16_383].map((slot) => cluster.primaryOf(slot)));
  const names = await Promise.all(primaries.map((primary) => nameOn(cluster, primary)));
  return { victim, names, slot: await slotOfQueue(cluster, names[0]!) };
}

test.each([
  ["killed", "SIGKILL", () => clusterClient(cluster)],
  ["stopped, with a plain client", "SIGSTOP", plainClient],
] as const)(
  "a primary is %s under load: all goes on by itself, and only its jobs can be lost",
  async (what, signal, connect) => {
    const { victim, names, slot } = await threeQueues();
    const load = await Load.start(names, connect);
    await load.goesOn();
    await victim.kill(signal);
    onTestFinished(() => victim.kill("SIGCONT"));
    const recoveryMs = await load.recovers(names.slice(0, 1));
    await cluster.successorOf(victim, slot);
    await load.goesOn();
    await (signal === "SIGSTOP" ? victim.kill("SIGCONT") : victim.restart());
    await cluster.waitUntilWhole();
    await load.goesOn();
    const accounts = await load.settle();
    tell(`a primary ${what}, its queue back after ${recoveryMs} ms`, accounts);
    for (const name of names.slice(1)) {
      expect(accounts.get(name)).toMatchObject({ lost: 0 });
    }
  },
  120_000,
);

test("what the replica never got is lost or runs again, and the queue is sound", async () => {
  const { victim, names, slot } = await threeQueues();
  const client = clusterClient(cluster);
  const queue = new Queue<string>(names[0]!, { connection: client });
  onTestFinished(() => queue.close());
  await queue.enqueue("finished", { id: "finished" });
  await queue.enqueue("kept", { id: "kept", delayMs: 600_000 });
  const [first] = await queue.claim();
  const [direct, copy] = [cluster.client(victim), cluster.client(await cluster.replicaOf(victim))];
  const { jobs, processing } = queueKeys("holdfast", names[0]!);
  await copy.readonly();
  await waitFor(async () => (await copy.hlen(jobs)) === 2 && (await copy.zcard(processing)) === 1, {
    what: "the replica has the job and the lease",
  });
  // From here on it hears nothing more.
  await direct.call("ACL", "SETUSER", "default", "-psync", "-sync");
  await direct.call("CLIENT", "KILL", "TYPE", "replica");
  await first!.ack();
  await queue.enqueue("lost", { id: "lost", delayMs: 600_000 });
  await victim.kill("SIGKILL");
  await cluster.successorOf(victim, slot);

  expect((await queue.get("kept"))?.state).toBe("delayed");
  expect(await queue.get("lost")).toBeUndefined();
  // Its lease is in force again on the new primary. As if it had ended there:
  await client.zadd(processing, "XX", 1, `finished:${first!.fencingToken}`);
  const [again] = await queue.claim({ waitMs: 10_000 });
  expect(again!.id).toBe("finished");
  expect(again!.fencingToken).toBeGreaterThan(first!.fencingToken);
  await again!.ack();
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 1 });
  await victim.restart();
}, 90_000);
