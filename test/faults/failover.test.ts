/** A primary of a cluster dies under load, and its replica takes over. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { clusterClient, nameOn, slotOfQueue } from "../helpers/cluster.ts";
import { Load, tell } from "../helpers/load.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await RedisCluster.start();
});
afterAll(() => cluster.stop());

test("workers and producers go on by themselves; only the dead primary can have lost jobs", async () => {
  const primaries = cluster.nodes.slice(0, 3);
  const names = await Promise.all(primaries.map((primary) => nameOn(cluster, primary)));
  const load = await Load.start(names, () => clusterClient(cluster));
  await load.goesOn();
  const [victim] = primaries;
  const slot = await slotOfQueue(cluster, names[0]!);
  await victim!.kill("SIGKILL");
  await cluster.successorOf(victim!, slot);
  await load.goesOn();
  await victim!.restart();
  await cluster.waitUntilWhole();
  await load.goesOn();
  const accounts = await load.settle();
  tell("a primary killed without WAIT", accounts);
  for (const name of names.slice(1)) {
    expect(accounts.get(name)).toMatchObject({ lost: 0 });
  }
}, 120_000);
