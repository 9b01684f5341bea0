/** Redis over TLS, with certificates of the test's own; and what is said of those that do not fit. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Connection, HoldfastError, Queue, RedisRefusedError } from "../../src/index.ts";
import { findFreePort } from "../../tools/redis/free-port.ts";
import { startLocalServer } from "../../tools/redis/local-server.ts";
import type { RedisServer } from "../../tools/redis/server.ts";
import { type Certificate, type Certificates, makeCertificates } from "../helpers/certificates.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { provideServer } from "../helpers/provide.ts";
import { uniqueName } from "../helpers/redis.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

let certificates: Certificates;
const servers: RedisServer[] = [];
beforeAll(async () => {
  await provideServer();
  certificates = await makeCertificates();
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  certificates?.remove();
});

/** Its port for TLS. It has another one without. */
async function startTlsServer(own: Certificate, asksForClients = false): Promise<number> {
  const tlsPort = await findFreePort();
  const tls = { port: tlsPort, "cert-file": own.certFile, "key-file": own.keyFile };
  const args = Object.entries({
    ...tls,
    "ca-cert-file": certificates.authority.certFile,
    "auth-clients": asksForClients ? "yes" : "no",
  }).flatMap(([name, value]) => [`--tls-${name}`, String(value)]);
  servers.push(await startLocalServer({ args }));
  return tlsPort;
}

function queueOn(connection: Connection): Queue<string> {
  const queue = new Queue<string>(uniqueName("tls"), { connection, enqueueTimeoutMs: 1_000 });
  onTestFinished(() => queue.close());
  return queue;
}

/** Jobs through every station, woken and not polled for. */
async function roundTrip(connection: Connection): Promise<void> {
  const queue = queueOn(connection);
  const { worker, seen } = watchedWorker(queue, () => undefined, { pollIntervalMs: 600_000 });
  await worker.start();
  for (let n = 1; n <= 3; n += 1) {
    await waitFor(async () => (await queue.stats()).waitingWorkers === 1);
    await queue.enqueue("x", { delayMs: n === 3 ? 50 : 0 });
    await waitFor(() => seen.completed.length === n);
  }
  await worker.close();
  expect(seen.error).toEqual([]);
}

failOnLeaks();

describe("a server with a certificate of one's own authority", () => {
  let port: number;
  beforeAll(async () => {
    port = await startTlsServer(certificates.server);
  });

  test("is reached by options", () =>
    roundTrip({ host: "127.0.0.1", port, tls: { ca: certificates.authority.cert } }));

  test("is reached by a client of one's own, made with a URL", async () => {
    const tls = { ca: certificates.authority.cert };
    const client = new Redis(`rediss://127.0.0.1:${port}`, { tls, disconnectTimeout: 100 });
    onTestFinished(() => client.disconnect());
    await roundTrip(client);
  });

  test("is reached by a URL alone where Node trusts the authority", async () => {
    const program = join(import.meta.dirname, "../helpers/processes/round-trip.ts");
    const args = ["--import", "tsx", program, `rediss://localhost:${port}`, uniqueName("tls")];
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificates.authority.certFile };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    expect(stdout).toBe("completed\n");
  });

  test("is refused where its authority is not trusted, and by whom is said", async () => {
    const tls = { ca: certificates.stranger.cert };
    for (const connection of [`rediss://127.0.0.1:${port}`, { host: "127.0.0.1", port, tls }]) {
      await expectRefused(connection, /certificate.*tls\.ca/);
    }
  });
});

test("a certificate for another name is refused, unless that name is given", async () => {
  const port = await startTlsServer(certificates.elsewhere);
  const tls = { ca: certificates.authority.cert };
  await expectRefused({ host: "127.0.0.1", port, tls }, /127\.0\.0\.1.*tls\.servername/);
  await roundTrip({ host: "127.0.0.1", port, tls: { ...tls, servername: "redis.example.com" } });
});

test("a client certificate is shown where the server asks for one", async () => {
  const port = await startTlsServer(certificates.server, true);
  const ca = certificates.authority.cert;
  const { cert, key } = certificates.client;
  await roundTrip({ host: "127.0.0.1", port, tls: { ca, cert, key } });
  // TLS 1.2 tells within the handshake.
  const without = { host: "127.0.0.1", port, tls: { ca, maxVersion: "TLSv1.2" } } as const;
  await expectRefused(without, /handshake.*ALERT.*tls\.cert/);
});

/** Such a server may only close the connection, or keep silent, so no more can be said. */
test.each([
  ["no client certificate where TLS 1.3 is asked for one", true, { tls: true }],
  ["no TLS where it is spoken", false, { tls: false }],
])("%s ends within the time given", async (_, asksForClients, { tls }) => {
  const port = await startTlsServer(certificates.server, asksForClients);
  const { cert: ca } = certificates.authority;
  const queue = queueOn({ host: "127.0.0.1", port, ...(tls ? { tls: { ca } } : {}) });
  await expect(queue.stats()).rejects.toThrow(HoldfastError);
  await expect(queue.enqueue("x")).rejects.toThrow(HoldfastError);
});

test("a worker goes on trying, and works once the certificate fits", async () => {
  const port = await startTlsServer(certificates.elsewhere);
  const server = servers.at(-1)!;
  const queue = queueOn({ host: "127.0.0.1", port, tls: { ca: certificates.authority.cert } });
  const { worker, seen, next } = watchedWorker(queue, () => undefined, { pollIntervalMs: 50 });
  const admin = new Redis(server.url, { disconnectTimeout: 100 });
  onTestFinished(() => admin.disconnect());
  const use = ({ certFile, keyFile }: Certificate) =>
    admin.config("SET", "tls-cert-file", certFile, "tls-key-file", keyFile);
  await use(certificates.server);
  await worker.start();
  await use(certificates.elsewhere);
  const before = seen.error.length;
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await waitFor(() =>
    seen.error.slice(before).some((error) => /tls\.servername/.test(error.message)),
  );
  const completed = next("completed");
  await use(certificates.server);
  await waitFor(() => worker.health().healthy);
  await queue.enqueue("x");
  await completed;
});

/** Each call, and a worker that starts, says so at once. */
async function expectRefused(connection: Connection, message: RegExp): Promise<void> {
  const { worker } = watchedWorker(queueOn(connection), () => undefined);
  const calls: (() => Promise<unknown>)[] = [
    () => queueOn(connection).enqueue("x"),
    () => queueOn(connection).stats(),
    () => queueOn(connection).claim({ waitMs: 600_000 }),
    () => worker.start(),
  ];
  for (const call of calls) {
    const error = await call().then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error).toBeInstanceOf(RedisRefusedError);
    expect(error!.message).toMatch(message);
  }
}
