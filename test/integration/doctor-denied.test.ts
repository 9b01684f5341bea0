/** The doctor where a server hides something, or cannot be talked to at all. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { Queue } from "../../src/index.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { rawRedis } from "../helpers/redis.ts";
import { diagnosisOf, findingsOf, runDoctor, runHoldfast } from "../helpers/run-doctor.ts";

vi.setConfig({ testTimeout: 60_000 }); // programs start slowly on a busy machine

const password = "s3cret/p@ss%";

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startServer({ args: ["--appendonly", "yes"] });
  redis = rawRedis(server.url);
  const queue = new Queue("jobs", { connection: server.url });
  await queue.enqueue(1);
  await queue.close();
});
afterAll(() => server?.stop());

/** A user that may do all but this. */
async function urlWithout(command: string): Promise<string> {
  await redis.call(
    "ACL",
    "SETUSER",
    "limited",
    "reset",
    "on",
    `>${password}`,
    "~*",
    "&*",
    "+@all",
    `-${command}`,
  );
  return urlAs("limited");
}

function urlAs(user: string, secret = password): string {
  return `redis://${user}:${encodeURIComponent(secret)}@${server.host}:${server.port}`;
}

describe("a user who may not", () => {
  test.each<[string, string[]]>([
    ["info", ["version", "persistence", "memory", "replication"]],
    ["config", ["persistence"]],
    ["ping", []],
    ["cluster", []],
    ["scan", ["queues"]],
  ])("%s gets unknown, no danger and no crash", async (command, unknown) => {
    const { code, diagnosis } = await diagnosisOf(await urlWithout(command), "--queue", "jobs");
    expect(findingsOf(diagnosis, "danger")).toEqual([]);
    expect(code).toBe(0);
    const checks = findingsOf(diagnosis, "unknown").map((text) => text.split(":")[0]);
    expect(checks).toEqual(unknown);
    expect(diagnosis.queues).toMatchObject([{ name: "jobs", stats: { due: 1 } }]);
  });

  test.each(["time", "evalsha", "script"])("%s cannot use holdfast: danger", async (command) => {
    const { code, diagnosis } = await diagnosisOf(await urlWithout(command));
    expect(code).toBe(1);
    expect(findingsOf(diagnosis, "danger")[0]).toMatch(/^scripts: Lua scripts do not run/);
    expect(JSON.stringify(diagnosis)).not.toContain(password);
  });
});

test("the password is not printed even where the server repeats it", async () => {
  const queue = new Queue(password, { connection: server.url, prefix: "secret" });
  await queue.enqueue(1);
  await queue.close();
  const url = await urlWithout("debug");
  const { out } = await runDoctor(["--url", url, "--prefix", "secret"]);
  expect(out).toContain("Queue ***: 0 delayed, 1 due");
  expect(out).not.toContain(password);
});

test("renamed commands are hidden ones", async () => {
  const renamed = ["CONFIG", "SCAN", "TIME"].flatMap((name) => ["--rename-command", name, ""]);
  const other = await startServer({ args: renamed });
  onTestFinished(() => other.stop());
  const { code, diagnosis } = await diagnosisOf(other.url);
  expect(code).toBe(1);
  expect(findingsOf(diagnosis, "unknown")).toEqual([
    expect.stringMatching(/^queues: .*unknown command/),
    expect.stringMatching(/^persistence: AOF is off, and whether snapshots/),
    expect.stringMatching(/^clock: .*unknown command/),
  ]);
  expect(findingsOf(diagnosis, "danger")).toEqual([expect.stringMatching(/^scripts: /)]);
});

describe("no diagnosis", () => {
  async function expectNone(url: string, message: RegExp): Promise<void> {
    const { code, out, err } = await runDoctor(["--url", url]);
    expect(out).toBe("");
    expect(err).toMatch(message);
    expect(err).not.toContain(password);
    expect(err).not.toContain(encodeURIComponent(password));
    expect(code).toBe(2);
  }

  test("with a wrong password, which is not shown", async () => {
    await urlWithout("debug");
    await expectNone(urlAs("limited", `${password}x`), /no diagnosis of .*WRONGPASS[^]*Check user/);
  });

  test("without the password that the server demands", async () => {
    const closed = await startServer();
    onTestFinished(() => closed.stop());
    await rawRedis(closed.url).config("SET", "requirepass", password);
    await expectNone(closed.url, /NOAUTH[^]*Check user and password/);
  });

  test("of a port where nobody listens", async () => {
    await expectNone(`redis://:${encodeURIComponent(password)}@127.0.0.1:1`, /ECONNREFUSED/);
  });

  test("of a server that does not use TLS, through a TLS URL", async () => {
    await expectNone(server.url.replace("redis:", "rediss:"), /[^]*rediss:\/\/, which is for TLS/);
  });

  test.each<[string, string | undefined, RegExp]>([
    ["says something else", "HTTP/1.1 400 Bad Request\r\n\r\n", /Check that a Redis listens there/],
    ["says nothing", undefined, /no answer within 5000 ms/],
  ])("of a server that %s", async (_, greeting, message) => {
    const sockets = new Set<Socket>();
    const other = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("data", () => greeting !== undefined && socket.end(greeting));
    });
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      other.close();
    });
    const { port } = other.address() as AddressInfo;
    await expectNone(`redis://:${encodeURIComponent(password)}@127.0.0.1:${port}`, message);
  });

  test("is told as JSON as well", async () => {
    const { code, out } = await runDoctor(["--url", "redis://127.0.0.1:1", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      format: 1,
      severity: "unreachable",
      error: expect.stringContaining("ECONNREFUSED"),
    });
  });
});

describe("the command line", () => {
  test.each<[string[], RegExp]>([
    [["--nope"], /Unknown option '--nope'/],
    [["--url"], /argument missing/],
    [["--url", `http://:${password}@x`], /--url must start with redis:\/\//],
    [[`redis://:${password}@x`], /give the URL as --url/],
    [[`--json=redis://:${password}@x`], /does not take an argument/],
    [["--queue", "a{b"], /without \{ and \}/],
    [["--prefix", "{"], /without \{ and \}/],
    [["--verify-seconds", "soon"], /--verify-seconds must be a number/],
  ])("%j is wrong usage", async (args, message) => {
    const { code, out, err } = await runDoctor(args);
    expect(out).toBe("");
    expect(err).toMatch(message);
    expect(err).not.toContain(password);
    expect(code).toBe(2);
  });

  test("helps", async () => {
    const { code, out, err } = await runDoctor(["--help"]);
    expect(out).toMatch(/^Usage: holdfast doctor /);
    expect(err).toBe("");
    expect(code).toBe(0);
  });

  test("takes REDIS_URL where there is no --url", async () => {
    const { out } = await runDoctor([], { REDIS_URL: server.url });
    expect(out).toContain(`Server ${server.host}:${server.port}`);
    const wrong = await runDoctor([], { REDIS_URL: "localhost" });
    expect(wrong.err).toContain("REDIS_URL must start with");
  });
});

describe("the program", () => {
  test("exits with 0, 1 and 2, and keeps what it says apart", async () => {
    const durable = await startServer({ args: ["--appendonly", "yes"] });
    onTestFinished(() => durable.stop());
    const fine = await runHoldfast(["doctor", "--url", durable.url]);
    expect(fine).toMatchObject({ code: 0, err: "" });
    expect(fine.out).toContain("No danger found");

    await rawRedis(durable.url).config("SET", "maxmemory-policy", "allkeys-lru");
    const dangerous = await runHoldfast(["doctor", "--url", durable.url]);
    expect(dangerous).toMatchObject({ code: 1, err: "" });
    expect(dangerous.out).toContain("DANGER: 1 found");
    expect(dangerous.out).not.toContain("\u001b[");

    const unreachable = await runHoldfast(["doctor", "--url", "redis://:pass@127.0.0.1:1"]);
    expect(unreachable).toMatchObject({ code: 2, out: "" });
    expect(unreachable.err).toContain("ECONNREFUSED");
  });

  test.each([
    [["--help"], 0],
    [["nonsense"], 2],
    [[], 2],
  ])("%j says how it is used", async (args, code) => {
    const run = await runHoldfast(args);
    expect(run.code).toBe(code);
    expect(code === 0 ? run.out : run.err).toMatch(/^Usage: holdfast <command>/);
  });
});
