/** The doctor where queues are many, sharded or oddly named, and where servers answer oddly or not at all. */
import { beforeAll, afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { Queue } from "../../src/index.ts";
import { queueKeys, shardOfId, shardTags } from "../../src/core/store/keys.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { startHostileServer } from "../helpers/hostile-server.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { diagnosisOf, findingsOf, runDoctor } from "../helpers/run-doctor.ts";

vi.setConfig({ testTimeout: 60_000 }); // programs start slowly on a busy machine

let server: RedisServer;
beforeAll(async () => {
  server = await startServer({ args: ["--appendonly", "yes"] });
});
afterAll(() => server?.stop());

describe("a sharded queue", () => {
  test("is told with the number of its shards, also of those never used, and is paused as a whole", async () => {
    const prefix = uniqueName("prefix");
    const queue = new Queue<number>("few", { connection: server.url, prefix, shards: 8 });
    onTestFinished(() => queue.close());
    await queue.enqueue(1, { id: "a" });
    const used = await diagnosisOf(server.url, "--prefix", prefix);
    expect(used.diagnosis.queues).toMatchObject([{ name: "few", shards: 8, stats: { due: 1 } }]);
    await queue.pause();
    const paused = await diagnosisOf(server.url, "--prefix", prefix);
    expect(findingsOf(paused.diagnosis, "advice")).toContain("paused: paused: nothing is claimed");
  });

  test("that was spread anew is not confused with its former shards", async () => {
    const prefix = uniqueName("prefix");
    const options = { connection: server.url, prefix };
    for (const shards of [8, 2]) {
      const queue = new Queue<number>("moved", { ...options, shards });
      const ids = Array.from({ length: 50 }, (_, index) => `id-${index}`);
      await queue.enqueueMany(ids.map((id) => ({ data: 1, id })));
      if (shards === 8) for (const id of ids) await queue.cancel(id);
      else await queue.pause();
      await queue.close();
    }
    const { diagnosis } = await diagnosisOf(server.url, "--prefix", prefix);
    expect(diagnosis.queues).toMatchObject([{ name: "moved", shards: 2, stats: { due: 50 } }]);
    expect(findingsOf(diagnosis, "advice")).toContain("paused: paused: nothing is claimed");
    // A job that lies in a former shard is not hidden.
    const former = shardTags("moved", 8).find((tag) => !shardTags("moved", 2).includes(tag))!;
    const redis = rawRedis(server.url);
    await redis.hset(queueKeys(prefix, former).jobs, "lost", "envelope");
    const breached = await diagnosisOf(server.url, "--prefix", prefix);
    expect(breached.code).toBe(1);
    expect(findingsOf(breached.diagnosis, "danger")).toEqual([
      expect.stringContaining('orphan "lost": nowhere'),
    ]);
  });

  test("with jobs in shards that its number does not have is a danger, until they are looked for there", async () => {
    const prefix = uniqueName("prefix");
    const redis = rawRedis(server.url);
    const open = () => {
      const queue = new Queue<number>("lost", { connection: server.url, prefix, shards: 8 });
      onTestFinished(() => queue.close());
      return queue;
    };
    await open().enqueueMany(Array.from({ length: 50 }, (_, id) => ({ data: 1, id: `id-${id}` })));
    const keysOf = (tag: string) => queueKeys(prefix, tag);
    await redis.hset(keysOf("lost").meta, "shards", 2);
    const outside = shardTags("lost", 8).filter((tag) => !shardTags("lost", 2).includes(tag));
    const counts = await Promise.all(outside.map((tag) => redis.hlen(keysOf(tag).jobs)));
    const jobs = counts.reduce((sum, count) => sum + count);
    const where = outside
      .filter((_, index) => counts[index]! > 0)
      .map((tag) => Number(tag.split("/")[1]))
      .toSorted((a, b) => a - b)
      .map((shard) => `${shard} (stored with shards: 8)`);
    const found = await diagnosisOf(server.url, "--prefix", prefix);
    expect(found.code).toBe(1);
    expect(findingsOf(found.diagnosis, "danger")).toEqual([
      `shards: ${jobs} jobs lie where no worker with shards: 2, as noted, looks: in shard ${where.join(", ")}`,
    ]);
    expect((await open().stats()).due).toBe(50);
    expect((await diagnosisOf(server.url, "--prefix", prefix)).code).toBe(0);
  });

  test("whose number a dead process was changing is told, until the change is completed", async () => {
    const prefix = uniqueName("prefix");
    const open = () => {
      const queue = new Queue<number>("half", { connection: server.url, prefix, shards: 3 });
      onTestFinished(() => queue.close());
      return queue;
    };
    const markAdvice = async () =>
      findingsOf((await diagnosisOf(server.url, "--prefix", prefix)).diagnosis, "advice").filter(
        (text) => text.startsWith("shards: "),
      );
    const { id } = await open().enqueue(1);
    expect(await markAdvice()).toEqual([]);
    const emptyShard = shardTags("half", 3)[(shardOfId(id, 3) + 1) % 3]!; // no other can have a mark
    for (const tag of ["half", emptyShard]) {
      await rawRedis(server.url).hset(queueKeys(prefix, tag).meta, "shards", "3:dead");
      expect(await markAdvice()).toEqual([
        "shards: the number of shards, noted as 3, is being changed, or a process died while it did so",
      ]);
      await open().stats();
      expect(await markAdvice()).toEqual([]);
    }
  });
});

describe("more queues than are looked at", () => {
  test("are said to be too many, but one that is named is found among them", async () => {
    const prefix = uniqueName("prefix");
    const redis = rawRedis(server.url);
    const pipeline = redis.pipeline();
    for (let index = 0; index < 4_000; index += 1) {
      pipeline.hset(`${prefix}:{queue-${index}}:meta`, "version", 1);
    }
    await pipeline.exec();
    const all = await diagnosisOf(server.url, "--prefix", prefix);
    expect(all.diagnosis.queues).toHaveLength(1_000);
    // On a slow machine some audits are cut short as well.
    const unknown = findingsOf(all.diagnosis, "unknown");
    const isCutShort = (text: string) => text.startsWith("verify: not audited to the end");
    expect(unknown.filter((text) => !isCutShort(text))).toEqual([
      "queues: there are too many keys to search them all in time: name the one you mean with --queue",
    ]);
    for (const name of ["queue-0", "queue-2222", "queue-3999"]) {
      const one = await diagnosisOf(server.url, "--prefix", prefix, "--queue", name);
      expect(one.diagnosis.queues.map((queue) => queue.name)).toEqual([name]);
    }
  });
});

test("a queue's name gives a terminal no orders", async () => {
  const prefix = uniqueName("prefix");
  await rawRedis(server.url).hset(`${prefix}:{odd\u001b[2J\nname}:meta`, "version", 1);
  const { out } = await runDoctor(["--url", server.url, "--prefix", prefix]);
  expect(out).toContain("Queue odd\\u001b[2J\\nname: 0 delayed");
  expect(out).not.toContain("\u001b");
});

test("a password is hidden in JSON, however it is written there", async () => {
  const password = 'a"b\\c';
  const redis = rawRedis(server.url);
  const rules = ["reset", "on", `>${password}`, "~*", "&*", "+@all"];
  await redis.call("ACL", "SETUSER", "quoted", ...rules);
  const prefix = uniqueName("prefix");
  await redis.hset(`${prefix}:{named ${password}}:meta`, "version", 1);
  const user = `quoted:${encodeURIComponent(password)}`;
  const { diagnosis } = await diagnosisOf(
    `redis://${user}@${server.host}:${server.port}`,
    "--prefix",
    prefix,
  );
  expect(diagnosis.queues.map(({ name }) => name)).toEqual(["named ***"]);
});

const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** A server with so many queues that finds them in one step, and answers no script, or refuses it. */
async function startCrowdedServer(queues: number, isSilent: boolean) {
  const keys = Array.from({ length: queues }, (_, index) => `holdfast:{queue-${index}}:meta`);
  const crowded = await startHostileServer(([command]) => {
    const name = command!.toLowerCase();
    if (name === "ping") return "+PONG\r\n";
    if (name === "info") return bulk("redis_version:8.2.2\r\nrole:master");
    if (name === "scan") return `*2\r\n$1\r\n0\r\n*${queues}\r\n${keys.map(bulk).join("")}`;
    return name === "evalsha" && isSilent ? undefined : `-ERR unknown command '${name}'\r\n`;
  });
  onTestFinished(() => crowded.stop());
  return crowded;
}

describe("a server", () => {
  test.each<[string, string]>([
    ["an array of nothing", "*-1\r\n"],
    ["a number", ":7\r\n"],
    ["an empty array", "*0\r\n"],
    ["a nested array", "*2\r\n*1\r\n:1\r\n$-1\r\n"],
    ["OK", "+OK\r\n"],
  ])("that answers everything with %s is unknown, and no crash", async (_, answer) => {
    const info = bulk("cluster_enabled:1");
    const odd = await startHostileServer(([name]) =>
      name?.toLowerCase() === "info" ? info : answer,
    );
    onTestFinished(() => odd.stop());
    const { code, diagnosis } = await diagnosisOf(odd.url);
    expect(findingsOf(diagnosis, "ok")).not.toContainEqual(expect.stringContaining("NaN"));
    expect(diagnosis.servers).toHaveLength(1);
    expect([0, 1]).toContain(code);
  });

  test("whose search finds too many queues in one step has not been searched to the end", async () => {
    const crowded = await startCrowdedServer(1_001, false);
    const { diagnosis } = await diagnosisOf(crowded.url);
    expect(diagnosis.queues).toHaveLength(1_000);
    expect(findingsOf(diagnosis, "unknown")).toContainEqual(
      expect.stringMatching(/^queues: there are too many keys/),
    );
  });

  test("that falls silent is not asked for each of its queues", async () => {
    const silent = await startCrowdedServer(100, true);
    const { diagnosis } = await diagnosisOf(silent.url);
    expect(findingsOf(diagnosis, "unknown")).toContain(
      "data: could not be looked at: this server has failed for too long",
    );
  });
});
