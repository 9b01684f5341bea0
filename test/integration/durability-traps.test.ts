/** What could make a confirmation mean nothing: each is shown not to. */
import type { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  DurabilityError,
  EnqueueUnconfirmedError,
  IncompatibleDataError,
  Queue,
  QueueFullError,
  type QueueOptions,
} from "../../src/index.ts";
import * as scripts from "../../src/scripts/generated.ts";
import { type FaultProxy, startFaultProxy } from "../helpers/fault-proxy.ts";
import { startHostileServer } from "../helpers/hostile-server.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { uniqueName } from "../helpers/redis.ts";
import { type ReplicatedRedis, startReplicatedRedis } from "../helpers/replicated-redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

interface Scene extends ReplicatedRedis {
  readonly redis: Redis;
  readonly replica: ReplicatedRedis["replicas"][number]["server"];
  /** Between `far` and the primary. */
  readonly proxy: FaultProxy;
  readonly near: Queue<string>;
  readonly far: Queue<string>;
  /** The same queue through a connection of its own. */
  another(options?: QueueOptions<string>): Queue<string>;
}

const short = { replicas: 1, timeoutMs: 300 };
const long = { replicas: 1, timeoutMs: 10_000 };

/** `far` has its connections, and has had a confirmation. */
async function openScene(): Promise<Scene> {
  // No pings: they move the offsets that replicas confirm.
  const redis = await startReplicatedRedis({ args: ["--repl-ping-replica-period", "3600"] });
  const { host, port, url } = redis.primary;
  const proxy = await startFaultProxy({ targetHost: host, targetPort: port });
  onTestFinished(() => proxy.stop());
  const name = uniqueName("traps");
  const another = (options: QueueOptions<string> = {}) => {
    const queue = new Queue<string>(name, { connection: url, ...options });
    onTestFinished(() => queue.close());
    return queue;
  };
  const far = another({ connection: proxy.url });
  await far.enqueue("first", { durability: long });
  return { ...redis, replica: redis.replicas[0]!.server, proxy, near: another(), far, another };
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "resolved",
    (error: unknown) => error,
  );

describe("a wait for nothing", () => {
  test("a duplicate is a write, so there is something to wait for", async () => {
    const { near, redis } = await openScene();
    const offset = async () =>
      Number(/master_repl_offset:(\d+)/.exec(await redis.info("replication"))![1]);
    await near.enqueue("x", { id: "x" });
    const before = await offset();
    await near.stats();
    expect(await offset()).toBe(before);
    expect((await near.enqueue("x", { id: "x" })).status).toBe("duplicate");
    expect(await offset()).toBeGreaterThan(before);
  });

  test("a duplicate on a new connection is not confirmed by a replica that lacks the job", async () => {
    const { replica, near, another } = await openScene();
    await replica.kill("SIGSTOP");
    await near.enqueue("x", { id: "x" });
    const fresh = another({ durability: short });
    for (let repeat = 1; repeat <= 2; repeat += 1) {
      expect(await failureOf(fresh.enqueue("x", { id: "x" }))).toBeInstanceOf(DurabilityError);
    }
    await replica.kill("SIGCONT");
    expect((await fresh.enqueue("x", { id: "x", durability: long })).status).toBe("duplicate");
  });
});

describe("a queue that is spread anew meanwhile, with a replica that is stopped", () => {
  test("stores nothing, and does not say that the job is only not confirmed", async () => {
    const { redis, replica, near, far } = await openScene();
    await replica.kill("SIGSTOP");
    await redis.hset(`holdfast:{${far.name}}:meta`, "shards", 5);
    const outcome = await failureOf(far.enqueue("x", { id: "x", durability: short }));
    expect(outcome).toBeInstanceOf(IncompatibleDataError);
    expect(String(outcome)).toContain("over 5 shards since this process started");
    expect(await redis.hkeys(`holdfast:{${near.name}}:jobs`)).toHaveLength(1);
  });

  test("by a process that died: not confirmed only once it is stored", async () => {
    const { redis, replica, near, far } = await openScene();
    await far.cancel((await redis.hkeys(`holdfast:{${far.name}}:jobs`))[0]!);
    await replica.kill("SIGSTOP");
    await redis.hset(`holdfast:{${far.name}}:meta`, "shards", "1:dead");
    const outcome = await failureOf(far.enqueue("x", { id: "x", durability: short }));
    expect(outcome).toBeInstanceOf(DurabilityError);
    expect(await near.get("x")).toMatchObject({ data: "x" });
  });
});

/** Between the two calls of one pipeline, which on a real server nobody can do at will. */
test.each([
  [0, "DurabilityError"],
  [1, "stored"],
])(
  "a queue that is spread anew within a group, %d replicas: the jobs before are %s",
  async (replicas, before) => {
    const integers = (...values: number[]) =>
      `*${values.length}\r\n${values.map((value) => `:${value}\r\n`).join("")}`;
    const server = await startHostileServer(([command, first]) => {
      const name = command!.toUpperCase();
      if (name === "WAIT") return `:${replicas}\r\n`;
      if (name === "EVAL") return integers(...Array<number>(400).fill(1));
      if (name === "INFO") return "$0\r\n\r\n";
      if (name !== "EVALSHA") return `-ERR unknown command '${name}'\r\n`;
      return first === scripts.open.sha1 ? integers(1, 1, 0) : integers(-1, 5);
    });
    onTestFinished(() => server.stop());
    const queue = new Queue<string>("queue", { connection: server.url, wakeups: false });
    onTestFinished(() => queue.close());
    const ids = Array.from({ length: 300 }, (_, n) => `job-${n}`);
    const results = await Promise.allSettled(
      ids.map((id) => queue.enqueue("x", { id, durability: short })),
    );
    const kinds = results.map((each) =>
      each.status === "rejected" ? (each.reason as Error).name : "stored",
    );
    expect(new Set(kinds.slice(0, 200))).toEqual(new Set([before]));
    expect(new Set(kinds.slice(200))).toEqual(new Set(["IncompatibleDataError"]));
  },
);

describe("a connection that is lost", () => {
  test("between the script's answer and the wait's: neither counts", async () => {
    const { replica, near, far, proxy } = await openScene();
    await replica.kill("SIGSTOP");
    const durability = { replicas: 1, timeoutMs: 1_000 };
    const outcome = failureOf(far.enqueue("x", { id: "x", durability }));
    await waitFor(async () => (await near.get("x")) !== undefined);
    proxy.cut();
    expect(await outcome).toBeInstanceOf(DurabilityError);
    expect((await near.stats()).totals.enqueued).toBe(2);
  });

  test.each(["dropNextReply", "dropNextRequest"] as const)(
    "%s: the whole group is sent again, and stored once",
    async (drop) => {
      const { near, far, proxy } = await openScene();
      const ids = Array.from({ length: 450 }, (_, n) => `job-${n}`);
      proxy[drop]({ containing: "WAIT" });
      const results = await Promise.all(ids.map((id) => far.enqueue(id, { id, durability: long })));
      expect(proxy.pendingDrops).toBe(0);
      expect(results.map(({ id, status }) => [id, status])).toEqual(
        ids.map((id) => [id, "created"]),
      );
      expect(await near.stats()).toMatchObject({ due: 451, totals: { enqueued: 451 } });
    },
  );

  test.each(["dropNextReply", "dropNextRequest"] as const)(
    "%s, with a replica that is stopped: not confirmed",
    async (drop) => {
      const { replica, near, far, proxy } = await openScene();
      await replica.kill("SIGSTOP");
      proxy[drop]({ containing: "WAIT" });
      const outcome = await failureOf(far.enqueue("x", { id: "x", durability: short }));
      expect(proxy.pendingDrops).toBe(0);
      expect(outcome).toBeInstanceOf(DurabilityError);
      expect(await near.get("x")).toBeDefined();
    },
  );

  test("without anybody being told: given up for a new one", async () => {
    const { redis, far, proxy } = await openScene();
    const waiters = async () =>
      String(await redis.client("LIST"))
        .split("\n")
        .filter((line) => /\bcmd=wait\b/.test(line))
        .map((line) => /\bid=(\d+)/.exec(line)![1]!);
    await far.stats(); // its first connection waited as well, to see whether the server can
    await redis.ping();
    const before = await waiters();
    expect(before).toHaveLength(1);
    const accepted = proxy.acceptedCount;
    proxy.blackHole(true);
    const durability = { replicas: 1, timeoutMs: 1_000 };
    const enqueued = far.enqueue("x", { id: "x", durability });
    await waitFor(() => proxy.acceptedCount > accepted);
    proxy.blackHole(false);
    expect((await enqueued).status).toBe("created");
    expect(await waiters()).not.toContain(before[0]);
    expect((await far.stats()).totals.enqueued).toBe(2);
  });
});

describe("a script that does not run where it stands", () => {
  test("is brought along: flushed scripts are no failure", async () => {
    const { redis, replica, near, far } = await openScene();
    await redis.script("FLUSH");
    await far.enqueueMany(
      Array.from({ length: 450 }, (_, n) => ({ data: `${n}`, durability: long })),
    );
    expect((await near.stats()).totals.enqueued).toBe(451);
    await replica.kill("SIGSTOP");
    await redis.script("FLUSH");
    const outcome = await failureOf(far.enqueue("x", { id: "x", durability: short }));
    expect(outcome).toBeInstanceOf(DurabilityError);
    expect(await near.get("x")).toBeDefined();
  });

  test("is sent again when it was flushed on the way, whatever the wait said", async () => {
    const { redis, near, far } = await openScene();
    const over = new AbortController();
    const flushing = (async () => {
      while (!over.signal.aborted) await redis.script("FLUSH");
    })();
    const ids = Array.from({ length: 5_000 }, (_, n) => `job-${n}`);
    await far.enqueueMany(ids.map((id) => ({ data: id, id, durability: long })));
    over.abort();
    await flushing;
    expect(await near.stats()).toMatchObject({ due: 5_001, totals: { enqueued: 5_001 } });
  });

  test("counts for nothing when it failed, although the wait succeeds", async () => {
    const { redis, far } = await openScene();
    const items = Array.from({ length: 200 }, (_, n) => ({ data: "x", id: `job-${n}` }));
    await far.enqueueMany(items);
    await redis.config("SET", "maxmemory", "1");
    // Two scripts and one wait: the first adds nothing, the second has no room.
    const durable = [...items, { data: "new", id: "new" }].map((item) =>
      Object.assign(item, { durability: long }),
    );
    const error = await failureOf(far.enqueueMany(durable));
    expect(error).toBeInstanceOf(QueueFullError);
    expect((error as QueueFullError).ids).toEqual(["new"]);
    expect(await far.get("new")).toBeUndefined();
  });
});

describe("a primary that is none any more", () => {
  test("while it waits: not confirmed", async () => {
    const { redis, replica, near, another } = await openScene();
    const queue = another();
    await replica.kill("SIGSTOP");
    const durability = { replicas: 1, timeoutMs: 2_000 };
    const outcome = failureOf(queue.enqueue("x", { id: "x", durability }));
    await waitFor(async () => (await near.get("x")) !== undefined);
    await redis.replicaof("127.0.0.1", 1);
    await waitFor(() => redis.info("replication").then((info) => info.includes("role:slave")));
    await redis.replicaof("NO", "ONE");
    await replica.kill("SIGKILL");
    // It depends on how soon the next try finds a primary again.
    expect([expect.any(DurabilityError), expect.any(EnqueueUnconfirmedError)]).toContainEqual(
      await outcome,
    );
  });

  test("answers no enqueue, not even of a job that it still has", async () => {
    const { redis, another } = await openScene();
    const queue = another({ enqueueTimeoutMs: 500 });
    await queue.enqueue("x", { id: "x" });
    await redis.replicaof("127.0.0.1", 1);
    const outcomes = await Promise.all(
      [false as const, short].map((durability) =>
        failureOf(queue.enqueue("x", { id: "x", durability })),
      ),
    );
    expect(outcomes).toEqual([
      expect.any(EnqueueUnconfirmedError),
      expect.any(EnqueueUnconfirmedError),
    ]);
  });
});
