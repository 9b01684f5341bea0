/** The monitor that counts commands, in the tests as in the bench: nothing it is shown is lost or changed. */
import { once } from "node:events";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { CommandMonitor } from "../../tools/redis/command-monitor.ts";
import { findFreePort } from "../../tools/redis/free-port.ts";
import { startLocalServer } from "../../tools/redis/local-server.ts";
import { parseMonitorLine } from "../../tools/redis/monitor-line.ts";
import { type RedisServer, startServer } from "../../tools/redis/start-server.ts";
import { makeCertificates } from "../helpers/certificates.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { provideServer } from "../helpers/provide.ts";
import { rawRedis } from "../helpers/redis.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.stop());

failOnLeaks();

async function openMonitor(
  admin: Redis,
  nameOf?: (args: readonly string[]) => string,
): Promise<CommandMonitor> {
  const monitor = await CommandMonitor.open(admin, nameOf);
  onTestFinished(() => monitor.close());
  return monitor;
}

/** Pipelines of pings, each sent as soon as the one before is answered, until the test ends. */
function keepBusy(client: Redis): void {
  const end = new AbortController();
  const run = async () => {
    while (!end.signal.aborted) {
      const pipeline = client.pipeline();
      for (let n = 0; n < 200; n += 1) pipeline.ping();
      await pipeline.exec();
    }
  };
  const running = run();
  onTestFinished(async () => {
    end.abort();
    await running;
  });
}

const bytes = (text: string) => Buffer.from(text, "latin1");
/** What a monitor tells of a client command is its name: here that is all of it. */
const whole = (args: readonly string[]) => JSON.stringify(args);

test("is opened while others send without a pause, and misses nothing", async () => {
  const admin = rawRedis(server.url);
  for (let n = 0; n < 2; n += 1) keepBusy(rawRedis(server.url));
  const other = rawRedis(server.url);
  for (let round = 0; round < 100; round += 1) {
    const monitor = await openMonitor(admin);
    const seen = await monitor.during(() => Promise.all([other.echo("a"), other.echo("b")]));
    expect(seen.filter(({ name }) => name === "ECHO")).toHaveLength(2);
    monitor.close();
  }
});

describe("the admin's own commands do not count", () => {
  test("while it sends others without a pause, and nothing is waited for in vain", async () => {
    const admin = rawRedis(server.url);
    const monitor = await openMonitor(admin);
    keepBusy(admin);
    const other = rawRedis(server.url);
    await other.ping();
    for (let round = 0; round < 20; round += 1) {
      const seen = await monitor.during(() => other.echo("a"));
      expect(seen.map(({ name }) => name)).toEqual(["ECHO"]);
    }
  });

  test("after it has connected anew, before the count or within", async () => {
    const admin = rawRedis(server.url);
    const monitor = await openMonitor(admin);
    const other = rawRedis(server.url);
    await other.ping();
    const reconnect = async () => {
      const connected = once(admin, "ready");
      admin.disconnect(true);
      await connected;
    };
    await reconnect();
    const seen = await monitor.during(async () => {
      await Promise.all([other.echo("a"), admin.ping()]);
      await reconnect();
      await admin.ping();
    });
    expect(seen.map(({ name }) => name)).toEqual(["ECHO"]);
  });
});

describe("arguments are shown byte for byte", () => {
  const everyByte = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
  const everyOtherByte = everyByte.replaceAll(/["\\]/g, "");
  const plain = {
    none: "",
    "a space": " ",
    "line ends": "\r\n\n\r\t\u0007\b",
    "more than one language": Buffer.from("größe ☃ \u2028").toString("latin1"),
    "every other byte": everyOtherByte,
    "more than a chunk": everyOtherByte.repeat(300),
  };

  test.each(Object.entries(plain))("%s", async (_, text) => {
    const admin = rawRedis(server.url);
    const monitor = await openMonitor(admin, whole);
    const client = rawRedis(server.url);
    await client.ping();
    const script = "redis.call('ECHO', ARGV[1]) return redis.call('ECHO', '')";
    const seen = await monitor.during(async () => {
      await client.call("ECHO", bytes(text));
      await client.call("EVAL", script, 0, bytes(text));
    });
    expect(seen.map(({ name }) => name)).toEqual([
      whole(["ECHO", text]),
      whole(["EVAL", script, "0", text]),
    ]);
    expect(seen[1]!.inner).toEqual([
      ["ECHO", text],
      ["ECHO", ""],
    ]);
  });

  // Not asked of a server: Valkey 8.1 shows quotes and backslashes without escaping them.
  test.each([
    ['"" "" \\"', String.raw`\"\" \"\" \\\"`],
    ["\\ \\x41 \\n", String.raw`\\ \\x41 \\n`],
    ['+1.5 [0 lua] "PING"', String.raw`+1.5 [0 lua] \"PING\"`],
    ["\u0000\n\r\t\u0007\b\u00ff", String.raw`\x00\n\r\t\a\b\xff`],
    [`${everyByte.slice(35, 92)}"`.repeat(300), `${everyByte.slice(35, 92)}\\"`.repeat(300)],
  ])("also with quotes and backslashes: %j", (text, shown) => {
    const line = `1700000000.5 [0 127.0.0.1:50000] "ECHO" "${shown}"`;
    const source = "127.0.0.1:50000";
    expect(parseMonitorLine(line)).toEqual({
      atMs: 1_700_000_000_500,
      source,
      args: ["ECHO", text],
    });
  });
});

describe("a connection that ends before the count does", () => {
  const endless = () => new Promise<never>(() => undefined);

  test("fails what waits and what comes after, and names the server", async () => {
    const admin = rawRedis(server.url);
    const monitor = await openMonitor(admin);
    const expected = `the connection of the monitor to ${server.host}:${server.port} ended`;
    const waits = Promise.allSettled([monitor.during(endless), monitor.until("ECHO", 1)]);
    const lines = String(await admin.client("LIST")).split("\n");
    const id = / id=(\d+)/.exec(` ${lines.find((line) => / flags=\w*O/.test(line))}`)?.[1];
    await admin.call("CLIENT", "KILL", "ID", id!);
    for (const wait of await waits) {
      expect(String((wait as PromiseRejectedResult).reason)).toContain(expected);
    }
    await expect(monitor.during(async () => undefined)).rejects.toThrow(expected);
    await expect(monitor.until("ECHO", 1)).rejects.toThrow("count again");
  });

  test("fails also when it was closed here", async () => {
    const monitor = await openMonitor(rawRedis(server.url));
    const counting = monitor.during(() => {
      monitor.close();
      return endless();
    });
    await expect(counting).rejects.toThrow("it was closed");
  });
});

describe("is opened as the client it is given is", () => {
  test("as its user, by password, and refused where the user may not", async () => {
    const admin = rawRedis(server.url);
    await admin.call("ACL", "SETUSER", "watcher", "on", ">se cret", "+@all");
    await admin.call("ACL", "SETUSER", "clerk", "on", ">secret", "+@all", "-monitor");
    const urlOf = (user: string) => server.url.replace("//", `//${user}@`);
    const monitor = await openMonitor(rawRedis(urlOf("watcher:se%20cret")));
    const seen = await monitor.during(() => admin.echo("x"));
    expect(seen.map(({ name }) => name)).toEqual(["ECHO"]);
    const lines = String(await admin.client("LIST")).split("\n");
    expect(lines.filter((line) => / flags=\w*O.* user=watcher/.test(line))).toHaveLength(1);
    const refused = CommandMonitor.open(rawRedis(urlOf("clerk:secret")));
    await expect(refused).rejects.toThrow(/the server refused: NOPERM/);
  });

  test("over TLS", async () => {
    await provideServer();
    const { server: own, authority, remove } = await makeCertificates();
    onTestFinished(remove);
    const port = await findFreePort();
    const settings = {
      port,
      "cert-file": own.certFile,
      "key-file": own.keyFile,
      "ca-cert-file": authority.certFile,
      "auth-clients": "no",
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--tls-${name}`, `${value}`]);
    const secured = await startLocalServer({ args });
    onTestFinished(() => secured.stop());
    const admin = new Redis({ host: "127.0.0.1", port, tls: { ca: authority.cert } });
    onTestFinished(() => admin.disconnect());
    const monitor = await openMonitor(admin);
    const seen = await monitor.during(() => rawRedis(secured.url).echo("x"));
    expect(seen.map(({ name }) => name)).toContain("ECHO");
  });
});
