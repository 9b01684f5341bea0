/** A primary and its replica, watched by three Sentinels, on loopback. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { type RedisServer, startServer } from "./start-server.ts";

const sentinelCount = 3;
const quorum = 2;
/** How long the primary is silent before a Sentinel takes it for dead: short, so that failovers are quick. */
const downAfterMs = 1_000;
const failoverTimeoutMs = 5_000;
const settleTimeoutMs = 30_000;
const lookEveryMs = 50;
const replicaArguments = ["--repl-diskless-sync-delay", "0"];

/** Among what a Sentinel says of the primary and its replica. */
const signsOfHealth = [
  "flags:master",
  `num-other-sentinels:${sentinelCount - 1}`,
  "replica flags:slave",
  "replica master-link-status:ok",
];

export class WatchedRedis {
  /** As the Sentinels call the primary, whichever of the two it is. */
  readonly name = "holdfast";
  /** The primary and the replica as they were at the start. */
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly #sentinels: readonly RedisServer[];

  private constructor(
    primary: RedisServer,
    replica: RedisServer,
    sentinels: readonly RedisServer[],
  ) {
    this.primary = primary;
    this.replica = replica;
    this.#sentinels = sentinels;
  }

  /** Resolves when the replica is in step and the Sentinels know it and each other. */
  static async start(): Promise<WatchedRedis> {
    const started: RedisServer[] = [];
    const start = async (args: readonly string[], config?: string) => {
      const options = { args, hasPeers: true, ...(config === undefined ? {} : { config }) };
      const server = await startServer(options);
      started.push(server);
      return server;
    };
    try {
      const primary = await start(replicaArguments);
      const { host, port } = primary;
      const replica = await start([...replicaArguments, "--replicaof", `${host} ${port}`]);
      const config =
        `sentinel monitor holdfast ${host} ${port} ${quorum}\n` +
        `sentinel down-after-milliseconds holdfast ${downAfterMs}\n` +
        `sentinel failover-timeout holdfast ${failoverTimeoutMs}\n`;
      const sentinels = await Promise.all(
        Array.from({ length: sentinelCount }, () => start(["--sentinel"], config)),
      );
      const watched = new WatchedRedis(primary, replica, sentinels);
      await watched.#everySentinel((view) => signsOfHealth.every((sign) => view.includes(sign)));
      return watched;
    } catch (error) {
      await Promise.all(started.map((server) => server.stop()));
      throw error;
    }
  }

  /** Where a client asks for the primary. */
  get addresses(): { host: string; port: number }[] {
    return this.#sentinels.map(({ host, port }) => ({ host, port }));
  }

  /** Resolves when every Sentinel names the replica as the primary. */
  async waitForFailover(): Promise<void> {
    await this.#everySentinel((view) => view.includes(`port:${this.replica.port}`));
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.#sentinels, this.primary, this.replica].map((server) => server.stop()),
    );
  }

  /** Waits until the condition holds for what each Sentinel says of the primary, and of its replica. */
  async #everySentinel(condition: (view: readonly string[]) => boolean): Promise<void> {
    const clients = this.#sentinels.map(({ host, port }) => new Redis({ host, port }));
    try {
      const deadline = performance.now() + settleTimeoutMs;
      for (;;) {
        const views = await Promise.all(clients.map((client) => this.#view(client)));
        if (views.every(condition)) return;
        if (performance.now() > deadline) {
          throw new Error(`After ${settleTimeoutMs} ms the Sentinels say: ${views.join(" | ")}`);
        }
        await sleep(lookEveryMs);
      }
    } finally {
      for (const client of clients) client.disconnect();
    }
  }

  async #view(client: Redis): Promise<string[]> {
    const [primary, replicas] = await Promise.all([
      client.call("SENTINEL", "MASTER", this.name),
      client.call("SENTINEL", "REPLICAS", this.name),
    ]);
    return [
      ...pairs(primary),
      ...(replicas as unknown[]).flatMap(pairs).map((line) => `replica ${line}`),
    ];
  }
}

/** Names and values, which arrive as a flat list or as an object, depending on the protocol. */
function pairs(reply: unknown): string[] {
  const flat = Array.isArray(reply) ? reply : Object.entries(reply as object).flat();
  return flat.flatMap((name, at) =>
    at % 2 === 0 ? [`${String(name)}:${String(flat[at + 1])}`] : [],
  );
}
