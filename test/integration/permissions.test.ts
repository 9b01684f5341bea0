/** The rules of docs/security.md: each role can do its work, needs what it is given, and can do no more. */
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { DeadLetter, fixed, Queue, RedisRefusedError } from "../../src/index.ts";
import { queueKeys } from "../../src/core/store/keys.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { ROLES, type Role, roleUser, type RoleUser } from "../helpers/acl-roles.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let server: RedisServer;
let admin: Redis;
beforeAll(async () => {
  server = await startServer();
  admin = rawRedis(server.url);
  await admin.ping();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  await admin.flushall();
  await admin.call("ACL", "LOG", "RESET");
});

failOnLeaks();

function queueOf({ queueName, url }: Pick<RoleUser, "queueName" | "url">): Queue<string> {
  const queue = new Queue<string>(queueName, { connection: url });
  onTestFinished(() => queue.close());
  return queue;
}

/** All that a producer does, also where it wakes a worker, or tries to wake one that is gone. */
async function produce(user: RoleUser): Promise<void> {
  const queue = queueOf(user);
  const { waiting } = queueKeys("holdfast", user.queueName);
  await admin.zadd(waiting, Date.now() + 600_000, "gone");
  expect(await queue.enqueue("x", { id: "a" })).toMatchObject({ status: "created" });
  expect(await queue.enqueue("y", { id: "a" })).toMatchObject({ status: "duplicate" });
  await queue.enqueueMany([{ data: "z" }, { data: "later", delayMs: 60_000 }]);
  expect(await queue.get("a")).toMatchObject({ state: "due", data: "x" });
  expect(await admin.exists(waiting)).toBe(0);
}

/** Woken, done, failed and tried again, buried, extended, taken over from a dead worker, and closed. */
async function work(user: RoleUser): Promise<void> {
  const queue = queueOf(user);
  const { waiting } = queueKeys("holdfast", user.queueName);
  await queue.enqueue("of a dead worker", { id: "a" });
  expect(await queue.enqueue("another", { id: "a" })).toMatchObject({ status: "duplicate" });
  expect(await queue.claim({ visibilityTimeoutMs: 100 })).toHaveLength(1);
  const { worker, seen } = watchedWorker<string>(
    queue,
    async (job) => {
      await job.extend();
      if (job.data === "fails once" && job.attempt === 1) throw new Error("once");
      if (job.data === "dies") throw new DeadLetter("bad");
    },
    { pollIntervalMs: 600_000, visibilityTimeoutMs: 1_000, backoff: fixed({ delayMs: 0 }) },
  );
  await worker.start();
  await waitFor(() => seen.completed.length === 1);
  const short = watchedWorker(queue, () => undefined);
  await short.worker.start();
  await short.worker.close();
  for (const [index, data] of ["done", "fails once", "dies"].entries()) {
    await waitFor(async () => (await admin.zscore(waiting, worker.id)) !== null);
    await queue.enqueue(data);
    await waitFor(() => seen.completed.length + seen.dead.length === index + 2);
  }
  expect(seen.stalled).toHaveLength(1);
  expect(seen.retried).toHaveLength(1);
  expect(await worker.close()).toMatchObject({ abandoned: 0 });
  expect(seen.error).toEqual([]);
}

async function operate(user: RoleUser): Promise<void> {
  await work(user);
  const queue = queueOf(user);
  await queue.pause();
  await queue.enqueue("x", { id: "later", delayMs: 60_000 });
  expect(await queue.reschedule("later", { delayMs: 90_000 })).toMatchObject({
    status: "rescheduled",
  });
  expect(await queue.cancel("later")).toBe("cancelled");
  await queue.resume();
  await admin.pexpire(queueKeys("holdfast", user.queueName).jobs, 600_000);
  expect(await queue.verify({ repair: true })).toMatchObject({ breachCount: 1, jobs: 1 });
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 1 });
  const { jobs, cursor } = await queue.dead.list({ limit: 1 });
  expect(jobs).toMatchObject([{ lastError: "bad" }]);
  expect((await queue.dead.list({ cursor: cursor! })).jobs).toEqual([]);
  expect(await queue.dead.redrive({ limit: 1 })).toBe(1);
  await (await queue.claim())[0]!.bury("again");
  expect(await queue.dead.purge({ limit: 1 })).toBe(1);
  expect(await queue.stats()).toMatchObject({ delayed: 0, due: 0, processing: 0, dead: 0 });
}

const lives: Record<Role, (user: RoleUser) => Promise<void>> = {
  producer: produce,
  worker: work,
  operator: operate,
};

/** What no role may do to the server, or to channels of others. */
const FORBIDDEN = [
  "FLUSHALL",
  "FLUSHDB",
  "KEYS *",
  "SCAN 0",
  "RANDOMKEY",
  "DBSIZE",
  "SELECT 1",
  "SWAPDB 0 1",
  "CONFIG GET *",
  "CONFIG SET maxmemory 1",
  "ACL LIST",
  "CLIENT LIST",
  "CLIENT KILL ID 1",
  "SCRIPT FLUSH",
  "SCRIPT KILL",
  "FUNCTION FLUSH",
  "MONITOR",
  "SAVE",
  "SHUTDOWN",
  "REPLICAOF NO ONE",
  "SUBSCRIBE x",
  "PSUBSCRIBE *",
  "PUBLISH x y",
  "SSUBSCRIBE holdfast:{other}:wake:x",
  "SPUBLISH holdfast:{other}:wake:x y",
];

/** What an entry of ACL LOG says was refused. */
async function refusals(): Promise<string[]> {
  const log = (await admin.call("ACL", "LOG")) as string[][];
  return log.map((entry) => entry[entry.indexOf("object") + 1]!);
}

/** The commands that were carried out since the statistics were reset, in scripts or not. */
async function commandsUsed(): Promise<string[]> {
  const lines = (await admin.info("commandstats")).split("\r\n");
  return lines.flatMap((line) => /^cmdstat_([^:]+):calls=[1-9]/.exec(line)?.[1] ?? []);
}

describe.each(ROLES)("the rule for a %s", (role) => {
  test("is enough for all it does", async () => {
    await lives[role](await roleUser(server, admin, role));
    // ioredis introduces itself, where it may.
    expect((await refusals()).filter((command) => command !== "client|setinfo")).toEqual([]);
  });

  test("names no command that is not used", async () => {
    const user = await roleUser(server, admin, role);
    await admin.script("FLUSH");
    await admin.config("RESETSTAT");
    await lives[role](user);
    const used = await commandsUsed();
    // Only for scripts that are flushed between loading and calling.
    const unused = user.commands.filter((command) => command !== "eval" && !used.includes(command));
    expect(unused).toEqual([]);
  });

  test("allows nothing else", async () => {
    const user = await roleUser(server, admin, role);
    const own = queueKeys("holdfast", user.queueName);
    const other = queueKeys("holdfast", "other");
    const otherPrefix = queueKeys("other", user.queueName);
    const longer = queueKeys("holdfast", `${user.queueName}-2`);
    for (const { jobs } of [own, other, otherPrefix, longer])
      await admin.hset(jobs, "id", "secret");
    const before = await keyspace();
    const client = new Redis(user.url, { disconnectTimeout: 100 });
    onTestFinished(() => client.disconnect());
    const reads = [other, otherPrefix, longer].flatMap(({ jobs, delayed }) => [
      ["HGET", jobs, "id"],
      ["HSET", jobs, "id", "changed"],
      ["ZADD", delayed, "1", "id"],
      ["EVAL", "return redis.call('HGET', KEYS[1], 'id')", "1", jobs],
      ["EVAL", "return redis.call('HGET', ARGV[1], 'id')", "0", jobs],
    ]);
    const commands = [
      ...reads,
      ...FORBIDDEN.map((command) => command.split(" ")),
      ...[own.jobs, other.jobs].flatMap((key) =>
        [`DEL ${key}`, `UNLINK ${key}`, `EXPIRE ${key} 1`, `HGETALL ${key}`, `RENAME ${key} x`].map(
          (command) => command.split(" "),
        ),
      ),
    ];
    for (const [name, ...args] of commands) {
      const outcome = await client.call(name!, ...args).catch((error: Error) => error.message);
      expect(`${[name, ...args].join(" ")}: ${String(outcome)}`).toMatch(
        /: .*(NOPERM|ACL failure|can't access)/,
      );
    }
    expect(await keyspace()).toEqual(before);
  });
});

test("WAIT is for those who are given it", async () => {
  const user = await roleUser(server, admin, "producer");
  const client = new Redis(user.url, { disconnectTimeout: 100 });
  onTestFinished(() => client.disconnect());
  await expect(client.wait(0, 1)).rejects.toThrow(/NOPERM.*wait/);
  await user.change("+wait");
  expect(await client.wait(0, 1)).toBe(0);
});

describe("a missing permission", () => {
  test.each([
    ["-evalsha", /evalsha/],
    ["-hmget", /hmget|can't run this command/],
    ["resetkeys", /key/],
  ])("%s is told by the call", async (change, named) => {
    const user = await roleUser(server, admin, "producer");
    await user.change(change);
    const error = await queueOf(user)
      .enqueue("x")
      .catch((reason: unknown) => reason as Error);
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect((error as Error).message).toMatch(named);
    expect(await admin.keys("*")).toEqual([]);
  });

  test("that is taken from a running worker is reported, and all is well once it is back", async () => {
    const user = await roleUser(server, admin, "worker");
    const queue = queueOf(user);
    const near = queueOf({ ...user, url: server.url });
    const { worker, seen, next } = watchedWorker(queue, () => undefined, { pollIntervalMs: 50 });
    await worker.start();
    const changes: [() => Promise<void>, () => Promise<void>][] = [
      [() => user.change("-evalsha"), () => user.change("+evalsha")],
      [() => user.change("resetkeys"), user.create],
      [user.remove, user.create],
    ];
    for (const [take, giveBack] of changes) {
      const before = seen.error.length;
      await take();
      await near.enqueue("x");
      await waitFor(() =>
        seen.error.slice(before).some((each) => each instanceof RedisRefusedError),
      );
      const completed = next("completed");
      await giveBack();
      await completed;
    }
  });

  test("is no obstacle to wake-ups once it is back", async () => {
    const user = await roleUser(server, admin, "worker");
    const near = queueOf({ ...user, url: server.url });
    const { worker, next } = watchedWorker(queueOf(user), () => undefined, {
      pollIntervalMs: 600_000,
    });
    await worker.start();
    await user.remove(); // and with the user, its connections
    await near.enqueue("x");
    let completed = next("completed");
    await user.create();
    for (let n = 0; n < 2; n += 1) {
      await completed;
      await waitFor(async () => (await near.stats()).waitingWorkers === 1);
      completed = next("completed");
      await near.enqueue("y");
    }
    await completed;
  });
});

async function keyspace(): Promise<unknown[]> {
  const keys = (await admin.keys("*")).toSorted();
  return Promise.all(
    keys.map(async (key) => [key, (await admin.dumpBuffer(key))?.toString("hex")]),
  );
}
