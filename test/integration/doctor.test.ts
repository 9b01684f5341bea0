/** The doctor on real servers: what it says of each, and how it exits. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Redis } from "ioredis";
import { Queue } from "../../src/index.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { startOldServer } from "../helpers/old-server.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { diagnosisOf, findingsOf, runDoctor } from "../helpers/run-doctor.ts";

failOnLeaks();
vi.setConfig({ testTimeout: 60_000 }); // each starts a server, on a machine that may be busy

async function serverWith(...args: string[]): Promise<{ server: RedisServer; redis: Redis }> {
  const server = await startServer({ args });
  onTestFinished(() => server.stop());
  return { server, redis: rawRedis(server.url) };
}

describe("a server", () => {
  test("that keeps its jobs has no danger", async () => {
    const durable = ["--appendonly", "yes", "--appendfsync", "always"];
    const { server } = await serverWith(...durable, "--maxmemory", "100mb");
    const { code, out, err } = await runDoctor(["--url", server.url]);
    expect(code).toBe(0);
    expect(err).toBe("");
    expect(out).toContain("appendfsync always: a confirmed job is on disk");
    expect(out).toMatch(/^ {2}ok +scripts +Lua scripts run$/m);
    expect(out).toContain('no queue under the prefix "holdfast"');
    expect(out).toMatch(/^No danger found; /m);
    expect(out).not.toContain("\u001b[");
  });

  test("without persistence, that evicts, and is nearly full", async () => {
    const { server, redis } = await serverWith("--maxmemory-policy", "allkeys-lru");
    await redis.set("junk", "x".repeat(10 * 2 ** 20));
    const used = Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
    await redis.config("SET", "maxmemory", Math.floor(used * 1.06));
    const { code, diagnosis } = await diagnosisOf(server.url);
    expect(code).toBe(1);
    expect(diagnosis.severity).toBe("danger");
    expect(findingsOf(diagnosis, "danger")).toEqual([
      "persistence: neither AOF nor snapshots: a restart loses every job",
      expect.stringMatching(/^eviction: maxmemory-policy allkeys-lru: .*deletes whole queues/),
      expect.stringMatching(/^memory: .* used \(9\d %\): soon new jobs are refused$/),
    ]);
  });

  test("that cannot write its snapshot", async () => {
    const tooLong = `${"x".repeat(300)}.rdb`;
    const { server, redis } = await serverWith("--appendonly", "yes", "--dbfilename", tooLong);
    await redis.bgsave();
    await expect
      .poll(() => redis.info("persistence"), { timeout: 10_000 })
      .toContain("rdb_last_bgsave_status:err");
    const { code, diagnosis } = await diagnosisOf(server.url);
    expect(code).toBe(1);
    expect(findingsOf(diagnosis, "danger")).toEqual([
      expect.stringMatching(/^persistence: the last snapshot failed/),
    ]);
  });

  test("that is a replica", async () => {
    const { server, redis } = await serverWith("--appendonly", "yes");
    await redis.replicaof("127.0.0.1", "1");
    const { code, diagnosis } = await diagnosisOf(server.url);
    expect(code).toBe(1);
    expect(findingsOf(diagnosis, "danger")).toEqual([
      "replication: this is a replica (its link to the primary is down): it takes no jobs",
    ]);
  });

  test("that is too old, or hardly speaks the protocol", async () => {
    const server = await startOldServer(["redis_version:6.2.14", "role:master"]);
    onTestFinished(() => server.stop());
    const { code, diagnosis } = await diagnosisOf(server.url);
    expect(code).toBe(1);
    expect(findingsOf(diagnosis, "danger")).toEqual([
      "version: Redis 6.2.14: holdfast needs Redis 7.0 or Valkey 7.2 or newer",
      expect.stringMatching(/^scripts: Lua scripts do not run/),
    ]);
    expect(findingsOf(diagnosis, "unknown")).toContainEqual(
      expect.stringMatching(/^queues: queues cannot be searched for \(SCAN\)/),
    );
  });

  test("of a cluster", async () => {
    const { server } = await serverWith("--cluster-enabled", "yes", "--appendonly", "yes");
    const queue = new Queue(uniqueName("cluster"), { connection: server.url });
    await queue.enqueue(1);
    await queue.close();
    const { code, diagnosis } = await diagnosisOf(server.url);
    expect(code).toBe(0);
    expect(diagnosis.servers).toHaveLength(1);
    expect(findingsOf(diagnosis, "ok")).toContain(
      "cluster: cluster state ok, 16384 of 16384 slots served",
    );
    expect(diagnosis.queues).toMatchObject([{ name: queue.name, stats: { due: 1 } }]);
  });

  test("of a cluster leads to its primaries, also to those that cannot be reached", async () => {
    const { server: first, redis } = await serverWith("--cluster-enabled", "yes");
    const { server: other } = await serverWith("--cluster-enabled", "yes", "--appendonly", "yes");
    const queue = new Queue(uniqueName("cluster"), { connection: other.url });
    await queue.enqueue(1);
    await queue.close();
    // The first one says that its slots are the other's.
    await redis.config("SET", "cluster-announce-port", other.port);
    const { code, diagnosis } = await diagnosisOf(first.url);
    expect(code).toBe(0);
    expect(diagnosis.servers.map(({ address }) => address)).toEqual([
      `${other.host}:${other.port}`,
    ]);
    expect(diagnosis.queues).toMatchObject([{ name: queue.name, stats: { due: 1 } }]);

    await redis.config("SET", "cluster-announce-port", 1);
    const unreachable = await diagnosisOf(first.url);
    expect(unreachable.code).toBe(0);
    expect(findingsOf(unreachable.diagnosis, "unknown")).toEqual([
      expect.stringMatching(
        /^connection: this primary cannot be reached from here: .*ECONNREFUSED/,
      ),
    ]);
  });

  test("of a cluster that is down", async () => {
    const { server, redis } = await serverWith("--cluster-enabled", "yes", "--appendonly", "yes");
    await redis.call("CLUSTER", "DELSLOTS", 0);
    await expect
      .poll(() => redis.cluster("INFO"), { timeout: 10_000 })
      .toContain("cluster_state:fail");
    const { code, diagnosis } = await diagnosisOf(server.url);
    expect(code).toBe(1);
    expect(findingsOf(diagnosis, "danger")).toEqual([
      "cluster: cluster state fail, 16383 of 16384 slots served",
    ]);
  });
});

describe("queues", () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await startServer({ args: ["--appendonly", "yes"] });
    redis = rawRedis(server.url);
    await redis.ping();
  });
  afterAll(() => server?.stop());

  /** A queue of its own under a prefix of its own, with some jobs. */
  async function openQueue(jobs = 5, name = uniqueName("queue")) {
    const prefix = uniqueName("prefix");
    const queue = new Queue<number>(name, { connection: server.url, prefix });
    onTestFinished(() => queue.close());
    await queue.enqueueMany(
      Array.from({ length: jobs }, (_, data) => ({ data, id: `job-${data}` })),
    );
    const look = (...args: string[]) => diagnosisOf(server.url, "--prefix", prefix, ...args);
    return { queue, prefix, look, keys: queueKeys(prefix, name) };
  }

  test("that are sound are told with their numbers", async () => {
    const { queue, look } = await openQueue();
    const [delivery] = await queue.claim({ max: 2 });
    await delivery!.bury("bad");
    await queue.enqueue(9, { delayMs: 60_000 });
    const { code, diagnosis } = await look();
    expect(code).toBe(0);
    expect(diagnosis.queues).toEqual([
      {
        name: queue.name,
        stats: {
          delayed: 1,
          due: 3,
          processing: 1,
          dead: 1,
          oldestDueAgeMs: expect.any(Number),
          paused: false,
          waitingWorkers: 0,
        },
        verify: expect.objectContaining({ isSound: true, jobs: 6 }),
        findings: expect.any(Array),
      },
    ]);
    expect(findingsOf(diagnosis, "advice")).toContain("dead: 1 dead letter");
    expect(findingsOf(diagnosis, "ok")).toContain(
      "verify: sound: 6 jobs looked at, each in exactly one place",
    );
  });

  test("that wait for workers, or are paused, are told", async () => {
    const { queue, look, keys } = await openQueue();
    await redis.zincrby(keys.delayed, -7_200_000, "job-0");
    const late = await look();
    expect(late.code).toBe(0);
    expect(findingsOf(late.diagnosis, "advice")).toContain(
      "due: 5 jobs due, the oldest for 2 h, and no worker is there",
    );
    await queue.pause();
    expect(findingsOf((await look()).diagnosis, "advice")).toContain(
      "paused: paused: nothing is claimed",
    );
  });

  test("with a breach are a danger, and are left as they are", async () => {
    const { look, keys } = await openQueue();
    await redis.zrem(keys.delayed, "job-3");
    const { code, diagnosis } = await look();
    expect(code).toBe(1);
    const [danger] = findingsOf(diagnosis, "danger");
    expect(danger).toContain("verify: NOT SOUND: 5 jobs looked at, 1 breach found");
    expect(danger).toContain('orphan "job-3": nowhere');
    expect(await redis.zscore(keys.delayed, "job-3")).toBeNull();
  });

  test("are audited as long as they may be", async () => {
    const { look } = await openQueue(2_000);
    const { code, diagnosis } = await look("--verify-seconds", "0");
    expect(code).toBe(0);
    expect(findingsOf(diagnosis, "unknown")).toEqual([
      "verify: not audited to the end: no breach in 0 of about 2,000 jobs; --verify-seconds gives it more time",
    ]);
  });

  test("of a newer release, or of another type, are a danger", async () => {
    const { queue, look, keys } = await openQueue();
    await redis.hset(keys.meta, "version", 99);
    const newer = await look();
    expect(newer.code).toBe(1);
    expect(findingsOf(newer.diagnosis, "danger")).toEqual([
      expect.stringMatching(/^data: the data has version 99, but this release knows/),
    ]);
    await redis.hset(keys.meta, "version", 1);
    await redis.del(keys.dead);
    await redis.set(keys.dead, "not ours");
    expect(findingsOf((await look("--queue", queue.name)).diagnosis, "danger")).toEqual([
      expect.stringMatching(/^data: keys of this queue hold other types .*\(dead\)/),
    ]);
  });

  test("are found by name, and their shards are told together", async () => {
    const { prefix, look } = await openQueue(1, "other");
    await redis.hset(queueKeys(prefix, "sharded").meta, { version: 1, shards: 3 });
    for (const shard of [0, 1, 10]) {
      const keys = queueKeys(prefix, `sharded/${shard}`);
      await redis.hset(keys.jobs, "x", "envelope");
      await redis.zadd(keys.dead, 1, "x");
      await redis.hset(keys.meta, { version: 1, enqueued: 1 });
    }
    const all = await look();
    expect(all.diagnosis.queues.map(({ name, shards }) => [name, shards])).toEqual([
      ["other", undefined],
      ["sharded", 3],
    ]);
    const one = await look("--queue", "sharded");
    expect(one.diagnosis.queues).toMatchObject([
      { name: "sharded", stats: { dead: 3 }, verify: { isSound: true, jobs: 3 } },
    ]);
    const none = await look("--queue", "nowhere");
    expect(none.code).toBe(0);
    expect(findingsOf(none.diagnosis, "advice")).toContain(
      `queues: no queue "nowhere" under the prefix "${prefix}"`,
    );
  });

  test("under a prefix that looks like a pattern are told apart", async () => {
    const prefix = `p*[a-z]?${uniqueName("x")}`;
    const queue = new Queue<number>("globbed", { connection: server.url, prefix });
    onTestFinished(() => queue.close());
    await queue.enqueue(1);
    await redis.hset(`pXb!${prefix.slice(8)}:{other}:meta`, "version", 1);
    const { diagnosis } = await diagnosisOf(server.url, "--prefix", prefix);
    expect(diagnosis.queues.map(({ name }) => name)).toEqual(["globbed"]);
  });
});
