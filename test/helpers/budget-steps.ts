/** The calls whose commands docs/command-budget.md lists, each on a queue made ready for it. */
import { Cluster, type Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { queueKeys, type QueueKeys, wakeChannelPrefix } from "../../src/core/store/keys.ts";
import {
  type Delivery,
  type Handler,
  Queue,
  type Worker,
  type WorkerOptions,
} from "../../src/index.ts";
import { testWorker } from "./holdfast.ts";
import { uniqueName } from "./redis.ts";
import { waitFor } from "./wait-for.ts";

/** Nothing is sent because time passes, however slow the machine. */
export const patient = {
  pollIntervalMs: 3_600_000,
  visibilityTimeoutMs: 3_600_000,
} satisfies WorkerOptions;

/** A queue on a cluster of one node. */
export function clusterQueue(url: string): Queue<string> {
  const client = new Cluster([url], { redisOptions: { disconnectTimeout: 100 } });
  onTestFinished(() => client.disconnect());
  const queue = new Queue<string>(uniqueName("budget"), { connection: client });
  onTestFinished(() => queue.close());
  return queue;
}

/** A queue of the test's own on a server of its own. */
export class BudgetScene {
  readonly name = uniqueName("budget");
  readonly keys: QueueKeys = queueKeys("holdfast", this.name);
  readonly queue: Queue<string>;
  readonly admin: Redis;
  readonly #url: string;

  /** Its connection stands, and it has had a job before. */
  static async open(url: string, admin: Redis): Promise<BudgetScene> {
    const scene = new BudgetScene(url, admin);
    await scene.queue.enqueue("first", { id: "first" });
    await scene.queue.cancel("first");
    return scene;
  }

  private constructor(url: string, admin: Redis) {
    this.#url = url;
    this.admin = admin;
    this.queue = this.another();
  }

  /** Same queue, other object and connection. */
  another(): Queue<string> {
    const queue = new Queue<string>(this.name, { connection: this.#url });
    onTestFinished(() => queue.close());
    return queue;
  }

  /** Started, and asleep: its first look found nothing. */
  async idleWorker(handler: Handler<string>, options: WorkerOptions = {}): Promise<Worker<string>> {
    const worker = await testWorker(this.another(), handler, { ...patient, ...options });
    await waitFor(async () => (await this.admin.zscore(this.keys.waiting, worker.id)) !== null);
    return worker;
  }

  /** How long the only one that waits is told to sleep, once it is. */
  async pollIntervalMs(): Promise<number> {
    const { waiting, claims } = this.keys;
    await waitFor(async () => (await this.admin.zcard(waiting)) === 1);
    const [id = "", looksAt] = await this.admin.zrange(waiting, 0, "0", "WITHSCORES");
    const lookedAt = Number.parseInt((await this.admin.hget(claims, id)) ?? "", 10);
    return Number(looksAt) - lookedAt;
  }

  /** Makes a worker look, by a command that does not count. */
  async wake(worker: Worker<string>): Promise<void> {
    await this.admin.spublish(wakeChannelPrefix("holdfast", this.name) + worker.id, "");
  }

  enqueue(count: number): Promise<unknown> {
    const jobs = Array.from({ length: count }, (_, n) => ({ data: "x", id: `job-${n}` }));
    return this.queue.enqueueMany(jobs);
  }

  async claim(count: number): Promise<Delivery<string>[]> {
    await this.enqueue(count);
    return this.queue.claim({ max: count });
  }

  /** Ids of as many dead letters. */
  async bury(count: number): Promise<string[]> {
    const deliveries = await this.claim(count);
    await Promise.all(deliveries.map((delivery) => delivery.bury("bad")));
    return deliveries.map(({ id }) => id);
  }

  /** As if all leases had ended. */
  async endLeases(): Promise<void> {
    for (const lease of await this.admin.zrange(this.keys.processing, 0, "-1")) {
      await this.admin.zadd(this.keys.processing, 1, lease);
    }
  }
}

/** Prepares, and returns the call that counts. */
type Step = (scene: BudgetScene) => Promise<() => Promise<unknown>>;

function eachOf(count: number, settle: (delivery: Delivery<string>) => Promise<unknown>): Step {
  return async (scene) => {
    const deliveries = await scene.claim(count);
    return () => Promise.all(deliveries.map(settle));
  };
}

const fail = (delivery: Delivery<string>) => delivery.nack({ error: "failed" });
const bodies = (count: number) => Array.from({ length: count }, () => ({ data: "x" }));

export const steps: Readonly<Record<string, Step>> = {
  "`enqueue`":
    async ({ queue }) =>
    () =>
      queue.enqueue("x"),
  "`enqueue` of an id that is taken": async (scene) => {
    await scene.enqueue(1);
    return () => scene.queue.enqueue("other", { id: "job-0" });
  },
  "100 `enqueue` awaited together":
    async ({ queue }) =>
    () =>
      Promise.all(bodies(100).map(({ data }) => queue.enqueue(data))),
  "`enqueueMany` of 100":
    async ({ queue }) =>
    () =>
      queue.enqueueMany(bodies(100)),
  "`enqueueMany` of 1,000":
    async ({ queue }) =>
    () =>
      queue.enqueueMany(bodies(1_000)),
  "`claim` by hand, nothing due": async ({ queue }) => {
    await queue.claim();
    return () => queue.claim();
  },
  "`claim` by hand of 1": async (scene) => {
    await scene.enqueue(1);
    return () => scene.queue.claim();
  },
  "`claim` by hand of 100": async (scene) => {
    await scene.enqueue(100);
    return () => scene.queue.claim({ max: 100 });
  },
  "`ack` of 1": eachOf(1, (delivery) => delivery.ack()),
  "`ack` of 100 together": eachOf(100, (delivery) => delivery.ack()),
  "`ack` of 1, while another has failed": async (scene) => {
    const [one, other] = await scene.claim(2);
    await fail(other!);
    return () => one!.ack();
  },
  "`nack` of 1": eachOf(1, fail),
  "`nack` of 100 together": eachOf(100, fail),
  "`nack` of 1, not counted": eachOf(1, (delivery) => delivery.nack({ countsAttempt: false })),
  "`bury` of 1": eachOf(1, (delivery) => delivery.bury("bad")),
  "`bury` of 100 together": eachOf(100, (delivery) => delivery.bury("bad")),
  "`extend` of 1": eachOf(1, (delivery) => delivery.extend()),
  "`extend` of 100 together": eachOf(100, (delivery) => delivery.extend()),
  "`cancel`": async (scene) => {
    await scene.enqueue(1);
    return () => scene.queue.cancel("job-0");
  },
  "`reschedule`": async (scene) => {
    await scene.enqueue(1);
    return () => scene.queue.reschedule("job-0", { delayMs: 1_000 });
  },
  "`get`": async (scene) => {
    await scene.enqueue(1);
    return () => scene.queue.get("job-0");
  },
  "`stats`":
    async ({ queue }) =>
    () =>
      queue.stats(),
  "`dead.redrive` of 1 id": async (scene) => {
    const ids = await scene.bury(1);
    return () => scene.queue.dead.redrive({ ids });
  },
  "`dead.redrive` of 100 ids": async (scene) => {
    const ids = await scene.bury(100);
    return () => scene.queue.dead.redrive({ ids });
  },
  "`dead.redrive` with a limit of 100": async (scene) => {
    await scene.bury(100);
    return () => scene.queue.dead.redrive({ limit: 100 });
  },
  "`dead.purge` of 100 ids": async (scene) => {
    const ids = await scene.bury(100);
    return () => scene.queue.dead.purge({ ids });
  },
  "The first call of a `Queue` object, `stats`": async (scene) => {
    const connection = scene.admin.duplicate();
    onTestFinished(() => connection.disconnect());
    await connection.ping();
    const queue = new Queue<string>(scene.name, { connection });
    onTestFinished(() => queue.close());
    return () => queue.stats();
  },
};
