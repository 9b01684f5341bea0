/** A Redis Cluster of one's own: three primaries and three replicas on loopback. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { type RedisServer, startServer } from "./start-server.ts";

const primaryCount = 3;
const slotCount = 16_384;
/** How long a node is silent before the others take it for dead: short, so that failovers are quick. */
const nodeTimeoutMs = 1_500;
const settleTimeoutMs = 30_000;
const lookEveryMs = 25;

/**
 * A replica that was cut off for long is still better than none; and the first copy does not wait five
 * seconds for more replicas to ask for it, as it would by default.
 */
const nodeArguments = (
  `--cluster-enabled yes --cluster-node-timeout ${nodeTimeoutMs} ` +
  "--cluster-replica-validity-factor 0 --repl-diskless-sync-delay 0"
).split(" ");

/** What a node says about another, or about itself. */
interface NodeView {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly primaryId: string;
  readonly isLinked: boolean;
  readonly slots: readonly (readonly [first: number, last: number])[];
}

export interface ClusterOptions {
  /** Added to each node's command line; the last one wins. */
  readonly args?: readonly string[];
}

export class RedisCluster {
  /** At the start the first three are primaries, and each later one is the replica of the third before it. */
  readonly nodes: readonly RedisServer[];
  /** To each node, in the same order. */
  readonly #clients: readonly Redis[];

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
    this.#clients = nodes.map(({ host, port }) => openClient(host, port));
  }

  /** Resolves when all slots are served and all replicas are in step. */
  static async start({ args = [] }: ClusterOptions = {}): Promise<RedisCluster> {
    const options = { args: [...nodeArguments, ...args], hasPeers: true };
    const starting = Array.from({ length: 2 * primaryCount }, () => startServer(options));
    const started = await Promise.allSettled(starting);
    const nodes = started.filter((each) => each.status === "fulfilled").map(({ value }) => value);
    const cluster = new RedisCluster(nodes);
    try {
      await Promise.all(starting);
      await cluster.#form();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Where a client can begin: `new Cluster(cluster.addresses)`. */
  get addresses(): { host: string; port: number }[] {
    return this.nodes.map(({ host, port }) => ({ host, port }));
  }

  async slotOf(key: string): Promise<number> {
    return Number(await (await this.#anyClient()).call("CLUSTER", "KEYSLOT", key));
  }

  /** The primary that serves the slot, as the nodes that are up see it. */
  async primaryOf(slot: number): Promise<RedisServer> {
    const views = await readViews(await this.#anyClient());
    return this.#server(views.find(({ slots }) => isAmong(slot, slots))?.port);
  }

  /** A replica that is up of this primary. */
  async replicaOf(primary: RedisServer): Promise<RedisServer> {
    const views = await readViews(await this.#anyClient());
    const { id } = views.find(({ port }) => port === primary.port)!;
    const replica = views.find(({ primaryId, flags }) => primaryId === id && isUp(flags));
    return this.#server(replica?.port);
  }

  /** A plain client to this node, closed by `stop`. */
  client(node: RedisServer): Redis {
    return this.#clients[this.nodes.indexOf(node)]!;
  }

  async idOf(node: RedisServer): Promise<string> {
    return String(await this.client(node).call("CLUSTER", "MYID"));
  }

  /** Every node is up, all slots are served, every replica is in step, and all nodes agree on it. */
  async waitUntilWhole(): Promise<void> {
    await this.#waitFor("a whole cluster", async () => {
      const owners = await Promise.all(this.#clients.map((client) => this.#viewIfWhole(client)));
      return owners.every((view) => view !== undefined && view === owners[0]);
    });
  }

  /** The primary that serves the slot once it is no longer this one. */
  async successorOf(primary: RedisServer, slot: number): Promise<RedisServer> {
    await this.#waitFor("successor of a primary", async () => {
      return (await this.primaryOf(slot)) !== primary;
    });
    return this.primaryOf(slot);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async #form(): Promise<void> {
    const [first] = this.nodes;
    const ids = await Promise.all(this.nodes.map((node) => this.idOf(node)));
    for (const [index, client] of this.#clients.entries()) {
      // Told apart from the start, the nodes need not find out who has which slots.
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      if (index < primaryCount) {
        const firstSlot = Math.ceil((slotCount * index) / primaryCount);
        const lastSlot = Math.ceil((slotCount * (index + 1)) / primaryCount) - 1;
        await client.call("CLUSTER", "ADDSLOTSRANGE", firstSlot, lastSlot);
      }
      if (index > 0) await client.call("CLUSTER", "MEET", first!.host, first!.port);
    }
    await this.#waitFor("nodes that know each other", async () => {
      const views = await Promise.all(this.#clients.map(readViews));
      return views.every((view) => ids.every((id) => view.some((node) => node.id === id)));
    });
    for (const [index, client] of this.#clients.entries()) {
      if (index >= primaryCount) {
        await client.call("CLUSTER", "REPLICATE", ids[index - primaryCount]!);
      }
    }
    await this.waitUntilWhole();
  }

  /** Who serves what, as one text, if this node knows of nothing that is missing. */
  async #viewIfWhole(client: Redis): Promise<string | undefined> {
    const [state, replication, views] = await Promise.all([
      client.call("CLUSTER", "INFO"),
      client.info("replication"),
      readViews(client),
    ]);
    const isInStep =
      !replication.includes("role:slave") || replication.includes("master_link_status:up");
    const primaries = views.filter(({ slots }) => slots.length > 0);
    const isWhole =
      String(state).includes("cluster_state:ok") &&
      isInStep &&
      views.length === this.nodes.length &&
      views.every(({ flags, isLinked }) => isLinked && isUp(flags)) &&
      countSlots(primaries.flatMap(({ slots }) => slots)) === slotCount &&
      primaries.every(({ id }) => views.some(({ primaryId }) => primaryId === id));
    const lines = views.map(({ id, primaryId, slots }) => `${id} ${primaryId} ${slots.join(" ")}`);
    return isWhole ? lines.toSorted().join("\n") : undefined;
  }

  /** To a node that is up and part of the majority. */
  async #anyClient(): Promise<Redis> {
    for (const client of this.#clients) {
      const info = await client.call("CLUSTER", "INFO").catch(() => undefined); // down: the next one
      if (String(info).includes("cluster_state:ok")) return client;
    }
    throw new Error("no node of the cluster serves at the moment");
  }

  #server(port: number | undefined): RedisServer {
    const server = this.nodes.find((node) => node.port === port);
    if (!server) throw new Error("the cluster has no such node at the moment");
    return server;
  }

  async #waitFor(what: string, condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + settleTimeoutMs;
    for (;;) {
      const isTrue = await condition().catch(() => false); // a node that is down has no answer yet
      if (isTrue) return;
      if (performance.now() > deadline) {
        throw new Error(`no ${what} within ${settleTimeoutMs} ms`);
      }
      await sleep(lookEveryMs);
    }
  }
}

function openClient(host: string, port: number): Redis {
  const client = new Redis({
    host,
    port,
    lazyConnect: true,
    disconnectTimeout: 100,
    maxRetriesPerRequest: 0,
    commandTimeout: 1_000,
    retryStrategy: () => lookEveryMs,
  });
  client.on("error", () => undefined); // each call tells its own failure
  return client;
}

/** One line for each node: id, address, flags, primary, two times, epoch, link, and its slots. */
async function readViews(client: Redis): Promise<NodeView[]> {
  const text = String(await client.call("CLUSTER", "NODES"));
  return text.trim().split("\n").map(parseView);
}

function parseView(line: string): NodeView {
  const [id, address, flags, primaryId, , , , link, ...slots] = line.split(" ");
  return {
    id: id!,
    port: Number(/:(\d+)@/.exec(address!)?.[1]),
    flags: flags!.split(","),
    primaryId: primaryId!,
    isLinked: link === "connected",
    // In brackets: a slot that is on its way to or from this node.
    slots: slots
      .filter((range) => !range.startsWith("["))
      .map((range) => {
        const [first, last = first] = range.split("-").map(Number);
        return [first!, last!] as const;
      }),
  };
}

function isUp(flags: readonly string[]): boolean {
  return !flags.some((flag) => ["fail", "fail?", "handshake", "noaddr"].includes(flag));
}

function isAmong(slot: number, ranges: NodeView["slots"]): boolean {
  return ranges.some(([first, last]) => first <= slot && slot <= last);
}

function countSlots(ranges: NodeView["slots"]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
