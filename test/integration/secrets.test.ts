/** A password given with a connection shows nowhere: no message, stack, cause, field, event, warning or log. */
import { format, inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Connection, Queue, type QueueOptions, Worker } from "../../src/index.ts";
import { findFreePort } from "../../tools/redis/free-port.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";

const PASSWORD = "s3cr3t p@ss/w%rd:?#";
const ENCODED = encodeURIComponent(PASSWORD);
/** Every part of it that would be enough to know it, in each form it may be written in. */
const GIVEAWAYS = [
  PASSWORD,
  ENCODED,
  "s3cr3t",
  "w%rd",
  "w%25rd",
  Buffer.from(PASSWORD).toString("base64"),
];

let server: RedisServer;
beforeAll(async () => {
  server = await startServer();
  const redis = rawRedis(server.url);
  await redis.config("SET", "requirepass", "another password");
});
afterAll(() => server?.stop());

/** All that this process prints and warns of, until the test ends. */
function watchOutput(): string[] {
  const seen: string[] = [];
  const onWarning = (warning: Error) =>
    seen.push(inspect(warning, { depth: null, showHidden: true }));
  process.on("warning", onWarning);
  const spies = (["log", "info", "warn", "error", "debug", "trace"] as const).map((name) =>
    vi
      .spyOn(console, name)
      .mockImplementation((...args: unknown[]) => void seen.push(format(...args))),
  );
  onTestFinished(() => {
    process.off("warning", onWarning);
    for (const spy of spies) spy.mockRestore();
  });
  return seen;
}

/** As a logger may print it: inspected to the ground, and as JSON with its own fields. */
function print(value: unknown): string {
  const shown = inspect(value, { depth: null, showHidden: true, maxStringLength: null });
  const own = Object.getOwnPropertyNames(value as object);
  return `${shown}\n${JSON.stringify(value, own)}\n${String(value)}`;
}

function expectNoSecret(texts: readonly string[]): void {
  for (const text of texts) {
    for (const part of GIVEAWAYS) expect(text).not.toContain(part);
  }
}

/** Every first call, and workers that start and run, where none of it can work. */
async function useEverything(connection: Connection): Promise<void> {
  const errors: unknown[] = [];
  const queue = new Queue<string>(uniqueName("secret"), { connection, enqueueTimeoutMs: 300 });
  onTestFinished(() => queue.close());
  const listening = new Worker(queue, () => undefined, { pollIntervalMs: 20 });
  listening.on("error", (error) => errors.push(error));
  const silent = new Worker(queue, () => undefined, { pollIntervalMs: 20 });
  const calls = [
    () => queue.enqueue("x"),
    () => queue.enqueueMany([{ data: "x" }]),
    () => queue.get("x"),
    () => queue.stats(),
    () => queue.dead.list(),
    () => listening.start(),
    () => silent.start(),
  ];
  const fail = (call: () => Promise<unknown>) =>
    call().catch((error: unknown) => errors.push(error));
  await Promise.all(calls.map(fail));
  await Promise.all([listening, silent].map((worker) => worker.close({ timeoutMs: 0 })));
  await queue.close();
  await fail(() => queue.stats());
  expect(errors.length).toBeGreaterThanOrEqual(6);
  expectNoSecret([...errors, queue, queue.dead, listening, silent].map(print));
  expectNoSecret([JSON.stringify(queue), JSON.stringify(listening)]);
}

describe("forms that are no address", () => {
  failOnLeaks();

  test.each([
    `redis//user:${ENCODED}@host`,
    `http://user:${ENCODED}@host`,
    `redis://user:${ENCODED}@host:99999999`,
    `user:${ENCODED}@host:6379`,
    ` ${ENCODED}`,
    ENCODED,
    [`redis://user:${ENCODED}@host`],
    new URL(`redis://user:${ENCODED}@host`),
    () => PASSWORD,
  ])("are refused without being shown (%#)", (connection) => {
    const output = watchOutput();
    let error: unknown;
    try {
      new Queue("secret", { connection: connection as string });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "INVALID_OPTION", option: "connection" });
    expectNoSecret([print(error), ...output]);
  });

  test.each([
    ["of a queue", () => new Queue("secret", { password: PASSWORD } as QueueOptions<string>)],
    [
      "of a worker",
      () => new Worker(new Queue("q"), () => undefined, { password: PASSWORD } as object),
    ],
  ])("nor is an option in the wrong place, %s", (_, make) => {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "INVALID_OPTION" });
    expect((error as Error).message).toMatch(/options.*must be left out: the options are co/);
    expectNoSecret([print(error)]);
  });
});

type ConnectionTo = (host: string, port: number) => Connection;

const credentials: readonly ConnectionTo[] = [
  (host, port) => `redis://user:${ENCODED}@${host}:${port}`,
  (host, port) => `redis://:${ENCODED}@${host}:${port}/0`,
  (host, port) => `redis://${host}:${port}?username=user&password=${ENCODED}`,
  (host, port) => ({ host, port, username: "user", password: PASSWORD }),
  (host, port) => ({ host, port, password: PASSWORD, tls: {}, connectTimeout: 300 }),
  (host, port) => `rediss://:${ENCODED}@${host}:${port}`,
];

describe("a password is not told", () => {
  failOnLeaks();

  const withEach = async (host: string, port: number) => {
    const output = watchOutput();
    await Promise.all(credentials.map((connectionTo) => useEverything(connectionTo(host, port))));
    expectNoSecret(output);
  };

  test("by a server that refuses it, or speaks another language", { timeout: 60_000 }, () =>
    withEach(server.host, server.port),
  );

  test("where nothing listens", { timeout: 60_000 }, async () =>
    withEach("127.0.0.1", await findFreePort()),
  );

  test("where there is no such host", { timeout: 60_000 }, () => withEach("host.invalid", 6379));
});

// Not watched for leaks: timers of ioredis's own clients for sentinels run on for two seconds.
test(
  "nor is the password of sentinels that cannot be reached, or refuse it",
  { timeout: 60_000 },
  async () => {
    const output = watchOutput();
    const ports = [server.port, await findFreePort()];
    await Promise.all(
      ports.map((port) =>
        useEverything({
          sentinels: [{ host: server.host, port }],
          name: "primary",
          password: PASSWORD,
          sentinelUsername: "user",
          sentinelPassword: PASSWORD,
        }),
      ),
    );
    expectNoSecret(output);
  },
);

test("a password that fits is not told by what works, nor when the server goes", async () => {
  const own = await startServer();
  onTestFinished(() => own.stop());
  const admin = rawRedis(own.url);
  await admin.config("SET", "requirepass", PASSWORD);
  const connection = `redis://:${ENCODED}@${own.host}:${own.port}`;
  const output = watchOutput();
  const queue = new Queue<string>("secret", { connection });
  onTestFinished(() => queue.close());
  const events: unknown[] = [];
  const worker = new Worker(queue, () => undefined, { pollIntervalMs: 20 });
  for (const name of ["completed", "error"] as const)
    worker.on(name, (event: unknown) => events.push(event));
  await worker.start();
  await queue.enqueue("x");
  await waitFor(() => events.length === 1);
  await own.kill("SIGKILL");
  await waitFor(() => events.length > 2);
  expectNoSecret([...events, queue, worker].map(print));
  await worker.close({ timeoutMs: 0 });
  expectNoSecret([...output, JSON.stringify(queue), JSON.stringify(worker)]);
});
