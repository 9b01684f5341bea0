/** Servers that would lose jobs, refuse calls or hold other data: told at the first call, and clearly. */
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  HoldfastError,
  Queue,
  type QueueOptions,
  RedisRefusedError,
  UnsafeRedisError,
} from "../../src/index.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { startOldServer } from "../helpers/old-server.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startServer();
  redis = rawRedis(server.url);
  await redis.ping();
});
afterAll(() => server?.stop());

failOnLeaks();

function queueOn(connection: string, options: QueueOptions<string> = {}): Queue<string> {
  const queue = new Queue<string>(uniqueName("bad"), { connection, ...options });
  onTestFinished(() => queue.close());
  return queue;
}

/** What each first call rejects with, on a queue object of its own. */
async function firstErrors(url: string, options: QueueOptions<string> = {}): Promise<Error[]> {
  const calls: ((queue: Queue<string>) => Promise<unknown>)[] = [
    (queue) => queue.enqueue("x"),
    (queue) => queue.enqueueMany([{ data: "x" }]),
    (queue) => queue.claim(),
    (queue) => queue.claim({ waitMs: 600_000 }),
    (queue) => queue.stats(),
    (queue) => watchedWorker(queue, () => undefined).worker.start(),
  ];
  return Promise.all(
    calls.map((call) =>
      call(queueOn(url, options)).then(
        () => new Error("resolved"),
        (error: unknown) => error as Error,
      ),
    ),
  );
}

/** An error that says what must be in its message. */
const unsafe = (message: RegExp) =>
  expect.toSatisfy(
    (error: Error) => error instanceof UnsafeRedisError && message.test(error.message),
    `an UnsafeRedisError that says ${message.source}`,
  ) as Error;
const everyOne = (error: Error) => Array.from({ length: 6 }, () => error);

describe("a server that would lose jobs", () => {
  test("may evict them: refused, unless that is accepted", async () => {
    await redis.config("SET", "maxmemory", "64mb", "maxmemory-policy", "allkeys-lru");
    onTestFinished(async () => {
      await redis.config("SET", "maxmemory", "0", "maxmemory-policy", "noeviction");
    });
    expect(await firstErrors(server.url)).toEqual(
      everyOne(unsafe(/allkeys-lru.*noeviction.*allowUnsafeEviction/)),
    );
    const accepting = queueOn(server.url, { allowUnsafeEviction: true });
    expect((await accepting.enqueue("x")).status).toBe("created");
  });

  test("may evict what has a time to live: accepted", async () => {
    await redis.config("SET", "maxmemory-policy", "volatile-lru");
    onTestFinished(async () => void (await redis.config("SET", "maxmemory-policy", "noeviction")));
    expect((await queueOn(server.url).enqueue("x")).status).toBe("created");
  });

  test("is a read-only replica: refused, and accepted once it is a primary", async () => {
    await redis.replicaof("127.0.0.1", "1");
    const queue = queueOn(server.url);
    try {
      expect(await firstErrors(server.url)).toEqual(
        everyOne(unsafe(/read-only replica: connect to the primary/)),
      );
      await expect(queue.stats()).rejects.toThrow(UnsafeRedisError);
    } finally {
      await redis.replicaof("NO", "ONE");
    }
    expect((await queue.enqueue("x")).status).toBe("created");
  });

  test.each([
    [["redis_version:6.2.14"], "Redis 6.2.14"],
    [["redis_version:7.2.4", "server_name:valkey", "valkey_version:7.1.9"], "Valkey 7.1.9"],
  ])("is too old: %s", async (info, version) => {
    const old = await startOldServer(["# Server", ...info, "role:master"]);
    onTestFinished(() => old.stop());
    expect(await firstErrors(old.url)).toEqual(
      everyOne(unsafe(new RegExp(`${version}.*Redis 7\\.0 or Valkey 7\\.2.*upgrade`))),
    );
  });
});

describe("permissions", () => {
  const secret = "s3cr3t-of-the-test";
  const urlOf = (user: string, password = secret) =>
    `redis://${user}:${password}@${server.host}:${server.port}`;
  const allow = async (user: string, ...rules: string[]) => {
    await redis.call("ACL", "SETUSER", user, "on", `>${secret}`, "~*", "&*", "+@all", ...rules);
    onTestFinished(async () => void (await redis.call("ACL", "DELUSER", user)));
  };

  test("INFO is forbidden: what cannot be known is not held against it", async () => {
    await allow("no-info", "-info");
    expect((await queueOn(urlOf("no-info")).enqueue("x")).status).toBe("created");
  });

  test("pub/sub is forbidden: works by polling", async () => {
    await allow("no-pubsub", "-spublish", "-ssubscribe");
    const queue = queueOn(urlOf("no-pubsub"));
    const { worker, seen } = watchedWorker(queue, () => undefined, { pollIntervalMs: 20 });
    await worker.start();
    for (let n = 0; n < 5; n += 1) {
      await queue.enqueue("x");
      await waitFor(() => seen.completed.length === n + 1);
    }
    await queue.enqueue("delayed", { delayMs: 30 });
    await waitFor(() => seen.completed.length === 6);
    for (const error of seen.error) {
      expect(error).toBeInstanceOf(RedisRefusedError);
      expect(error.message).toMatch(/ssubscribe/);
      expect(error.message).not.toMatch(/unexpected/);
    }
    expect(seen.error).toHaveLength(1);
    expect(await queue.verify()).toMatchObject({ isSound: true });
  });

  test("EVALSHA is forbidden: refused by name", async () => {
    await allow("no-scripts", "-evalsha");
    for (const error of await firstErrors(urlOf("no-scripts"))) {
      expect(error).toBeInstanceOf(RedisRefusedError);
      expect(error.message).toMatch(/evalsha/);
    }
  });

  test("a wrong or missing password is told, and no password ever is", async () => {
    await allow("user");
    await redis.config("SET", "requirepass", secret);
    onTestFinished(async () => void (await redis.config("SET", "requirepass", "")));
    const wrong = "wr0ng-password-of-the-test";
    const bare = `redis://${server.host}:${server.port}`;
    for (const url of [urlOf("user", wrong), urlOf("nobody", wrong), urlOf("", wrong), bare]) {
      for (const error of await firstErrors(url, { enqueueTimeoutMs: 20_000 })) {
        expect(error).toBeInstanceOf(RedisRefusedError);
        expect(error.message).toMatch(/WRONGPASS|NOAUTH/);
        expect(error).toMatchObject({ retryable: false });
        // All that a logger may print: message, stack, cause and own fields, as deep as they go.
        expect(inspect(error, { depth: null, showHidden: true })).not.toContain(wrong);
      }
    }
  });

  test("no password and no payload is in what fails when the server goes", async () => {
    const own = await startServer();
    onTestFinished(() => own.stop());
    const admin = new Redis(own.url);
    await admin.config("SET", "requirepass", secret);
    admin.disconnect();
    const queue = queueOn(`redis://:${secret}@${own.host}:${own.port}`, { enqueueTimeoutMs: 300 });
    const { worker, seen } = watchedWorker(queue, () => undefined, { pollIntervalMs: 20 });
    await worker.start();
    await own.kill("SIGKILL");
    const failures: unknown[] = await Promise.all(
      [queue.enqueue("the payload"), queue.stats()].map((call) =>
        call.catch((error: unknown) => error),
      ),
    );
    await waitFor(() => seen.error.length > 0);
    await worker.close({ timeoutMs: 0 });
    for (const error of [...failures, ...seen.error]) {
      expect(error).toBeInstanceOf(HoldfastError);
      const printed = inspect(error, { depth: null, showHidden: true });
      expect(printed).not.toContain(secret);
      expect(printed).not.toContain("the payload");
    }
  });
});
