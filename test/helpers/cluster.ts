/** Clients of a test's own cluster, queues on a node of its choice, and slots on the move. */
import { Cluster, type ClusterOptions } from "ioredis";
import { onTestFinished } from "vitest";
import type { RedisCluster } from "../../tools/redis/cluster.ts";
import type { RedisServer } from "../../tools/redis/start-server.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import { uniqueName } from "./redis.ts";

/** A client with the options that docs/clusters.md recommends, closed after the test. */
export function clusterClient(
  cluster: Pick<RedisCluster, "addresses">,
  options: Pick<ClusterOptions, "natMap" | "slotsRefreshInterval"> = {},
): Cluster {
  const client = new Cluster(cluster.addresses, {
    slotsRefreshTimeout: 5_000,
    slotsRefreshInterval: 10_000,
    redisOptions: { connectTimeout: 5_000, socketTimeout: 5_000, disconnectTimeout: 100 },
    ...options,
  });
  client.on("error", () => undefined); // calls tell their failures
  onTestFinished(() => client.disconnect());
  return client;
}

/** A name for a queue whose slot this primary serves. */
export async function nameOn(cluster: RedisCluster, primary: RedisServer): Promise<string> {
  for (;;) {
    const name = uniqueName("on");
    if ((await cluster.primaryOf(await slotOfQueue(cluster, name))) === primary) return name;
  }
}

export function slotOfQueue(cluster: RedisCluster, name: string): Promise<number> {
  return cluster.slotOf(queueKeys("holdfast", name).jobs);
}

/**
 * Moves a slot to another primary, key by key, as an operator's tool would.
 *
 * @param onKeyMoved called after each key, with how many are gone from the old primary
 */
export async function moveSlot(
  cluster: RedisCluster,
  slot: number,
  target: RedisServer,
  onKeyMoved: (movedKeys: number) => Promise<void> | void = () => undefined,
): Promise<void> {
  const source = await cluster.primaryOf(slot);
  const [from, to] = [cluster.client(source), cluster.client(target)];
  const [sourceId, targetId] = [await cluster.idOf(source), await cluster.idOf(target)];
  await to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId);
  await from.call("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId);
  for (let moved = 0; ;) {
    const [key] = (await from.call("CLUSTER", "GETKEYSINSLOT", slot, 1)) as string[];
    if (key === undefined) break;
    await from.call("MIGRATE", target.host, target.port, key, 0, 5_000);
    moved += 1;
    await onKeyMoved(moved);
  }
  await to.call("CLUSTER", "SETSLOT", slot, "NODE", targetId);
  await from.call("CLUSTER", "SETSLOT", slot, "NODE", targetId);
}
