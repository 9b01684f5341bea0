/** In a cluster the wait must go to the node that has the job, and to no other. */
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster5 } from "ioredis5";
import { expect, onTestFinished, test } from "vitest";
import { startLocalServer } from "../../tools/redis/local-server.ts";
import { DurabilityError, Queue } from "../../src/index.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

interface Node {
  readonly host: string;
  readonly port: number;
  readonly redis: Redis;
  readonly stop: () => Promise<void>;
}

async function startNode(): Promise<Node> {
  const server = await startLocalServer({ args: ["--cluster-enabled", "yes"] });
  onTestFinished(() => server.stop());
  const redis = new Redis(server.url, { disconnectTimeout: 100 });
  redis.on("error", () => undefined);
  onTestFinished(() => redis.disconnect());
  const { host, port } = server;
  return { host, port, redis, stop: () => server.kill("SIGSTOP") };
}

/** Three primaries with a third of the slots each, and a replica of the one that serves `slot`. */
async function startCluster(key: string) {
  const nodes = await Promise.all([1, 2, 3, 4].map(startNode));
  const primaries = nodes.slice(0, 3);
  const replica = nodes[3]!;
  await Promise.all(nodes.map(({ redis }) => redis.cluster("RESET")));
  const thirds = [0, 5_461, 10_923, 16_384];
  for (const [n, { redis }] of primaries.entries()) {
    await redis.call("CLUSTER", "SET-CONFIG-EPOCH", String(n + 1));
    await redis.call("CLUSTER", "ADDSLOTSRANGE", String(thirds[n]), String(thirds[n + 1]! - 1));
  }
  for (const { host, port } of nodes.slice(1)) await nodes[0]!.redis.cluster("MEET", host, port);
  const slot = await nodes[0]!.redis.cluster("KEYSLOT", key);
  const owner = primaries[thirds.findIndex((first, n) => slot >= first && slot < thirds[n + 1]!)]!;
  const ownerId = await owner.redis.cluster("MYID");
  await waitFor(async () => String(await replica.redis.cluster("NODES")).includes(ownerId));
  await waitFor(() =>
    replica.redis.cluster("REPLICATE", ownerId).then(
      () => true,
      () => false,
    ),
  );
  await waitFor(
    async () => {
      const states = await Promise.all(nodes.map(({ redis }) => redis.cluster("INFO")));
      const isReady = states.every((state) => /cluster_state:ok[^]*known_nodes:4/.test(state));
      return isReady && /state=online/.test(await owner.redis.info("replication"));
    },
    { what: "the cluster is ready", timeoutMs: 20_000 },
  );
  return { nodes: primaries, owner, replica };
}

test.each([
  ["ioredis 6", Cluster, {}],
  ["ioredis 5", Cluster5, { redisOptions: { connectionName: "five" } }],
] as const)(
  "%s: the wait follows the job to the one node that has a replica",
  async (_, Client, options) => {
    const name = uniqueName("durable");
    const { nodes, owner, replica } = await startCluster(`holdfast:{${name}}:jobs`);
    const client = new Client(
      nodes.map(({ host, port }) => ({ host, port })),
      options,
    );
    onTestFinished(() => client.disconnect());
    const queue = new Queue<number>(name, {
      connection: client as Cluster,
      durability: { replicas: 1, timeoutMs: 5_000 },
    });
    onTestFinished(() => queue.close());
    // At a node taken at random two of three would find no replica, and the other a job too few.
    for (let n = 0; n < 10; n += 1) {
      expect((await queue.enqueue(n, { id: `${n}` })).status).toBe("created");
    }
    expect(await replica.redis.readonly()).toBe("OK");
    expect(await replica.redis.hlen(`holdfast:{${name}}:jobs`)).toBe(10);
    await Promise.all(nodes.map(({ redis }) => redis.script("FLUSH")));
    await queue.enqueueMany(Array.from({ length: 450 }, (__, data) => ({ data })));
    // The copies change places; what the client knew of the slots is out of date.
    await replica.redis.cluster("FAILOVER");
    await waitFor(() => replica.redis.info("replication").then((i) => i.includes("state=online")));
    expect((await queue.enqueue(1, { id: "after" })).status).toBe("created");
    await queue.stats(); // and its other connection learns of it
    await owner.stop();
    const impatient = { id: "x", durability: { replicas: 1, timeoutMs: 500 } };
    await expect(queue.enqueue(1, impatient)).rejects.toThrow(DurabilityError);
    expect(await queue.get("x")).toMatchObject({ data: 1 });
  },
  40_000,
);
