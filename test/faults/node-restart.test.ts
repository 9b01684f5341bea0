/** A node of a cluster restarts under load: its data is back, its scripts are not. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { RedisCluster } from "../../tools/redis/cluster.ts";
import { clusterClient, nameOn } from "../helpers/cluster.ts";
import { Load, tell } from "../helpers/load.ts";

let cluster: RedisCluster;

beforeAll(async () => {
  // No replica takes over meanwhile; and what was acknowledged is on the disk.
  const args = ["--cluster-replica-no-failover", "yes", "--cluster-require-full-coverage", "no"];
  cluster = await RedisCluster.start({
    args: [...args, "--appendonly", "yes", "--appendfsync", "always"],
  });
});
afterAll(() => cluster.stop());

test("killed and back, it has lost nothing, and the scripts are loaded again", async () => {
  const primaries = cluster.nodes.slice(0, 3);
  const names = await Promise.all(primaries.map((primary) => nameOn(cluster, primary)));
  const load = await Load.start(names, () => clusterClient(cluster));
  await load.goesOn();
  const [victim] = primaries;
  await victim!.kill("SIGKILL");
  await load.goesOn(names.slice(1));
  await victim!.restart();
  await load.goesOn();
  // The new process began without any.
  expect(await cluster.client(victim!).info("memory")).not.toContain("number_of_cached_scripts:0");
  const accounts = await load.settle();
  tell("a primary killed and restarted, AOF always", accounts);
  for (const { lost } of accounts.values()) {
    expect(lost).toBe(0);
  }
}, 120_000);
