/** A primary with replicas, each of which follows it through a proxy of its own. */
import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { waitFor } from "./wait-for.ts";

interface Replica {
  readonly server: RedisServer;
  /** Between it and the primary. */
  readonly link: FaultProxy;
  /** Ends its replication: a primary with what it has. Resolves with a client for it. */
  promote(): Promise<Redis>;
}

export interface ReplicatedRedis {
  readonly primary: RedisServer;
  readonly replicas: readonly Replica[];
  /** A plain client of the primary. */
  readonly redis: Redis;
  /** Resolves when the primary counts that many replicas that have all of its data. */
  inSync(count?: number): Promise<void>;
}

/** @param args for all servers */
export async function startReplicatedRedis({
  replicas: count = 1,
  args = [] as readonly string[],
} = {}): Promise<ReplicatedRedis> {
  const primary = await stoppedAfterTest(["--repl-diskless-sync-delay", "0", ...args]);
  const redis = clientOf(primary.url);
  const neighbourhood = await ownAddress(redis);
  const replicas = await Promise.all(
    Array.from({ length: count }, () => startReplica(primary, neighbourhood, args)),
  );
  const replicated: ReplicatedRedis = {
    primary,
    replicas,
    redis,
    inSync: (wanted = count) =>
      waitFor(
        async () => {
          // WAIT looks at what its own connection wrote.
          const [, answer] = (await redis.pipeline().incr("in-sync").wait(wanted, 1_000).exec())!;
          return Number(answer![1]) >= wanted;
        },
        { what: `${wanted} replicas in sync`, timeoutMs: 20_000 },
      ),
  };
  await replicated.inSync();
  return replicated;
}

async function startReplica(
  primary: RedisServer,
  listenHost: string,
  args: readonly string[],
): Promise<Replica> {
  const link = await startFaultProxy({
    targetHost: primary.host,
    targetPort: primary.port,
    listenHost,
  });
  onTestFinished(() => link.stop());
  const server = await stoppedAfterTest(["--replicaof", listenHost, String(link.port), ...args]);
  const promote = async () => {
    const client = clientOf(server.url);
    await client.replicaof("NO", "ONE");
    return client;
  };
  return { server, link, promote };
}

async function stoppedAfterTest(args: readonly string[]): Promise<RedisServer> {
  const server = await startServer({ args });
  onTestFinished(() => server.stop());
  return server;
}

function clientOf(url: string): Redis {
  const client = new Redis(url, { disconnectTimeout: 100 });
  client.on("error", () => undefined); // Servers are killed here.
  onTestFinished(() => client.disconnect());
  return client;
}

/** How a server sees this process, and so where it finds it: in a container that is not loopback. */
async function ownAddress(redis: Redis): Promise<string> {
  const info = await redis.client("INFO");
  return /\baddr=([^ ]+):\d+/.exec(info)![1]!;
}
