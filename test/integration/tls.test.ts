/** Redis over TLS, with certificates of the test's own; and what is said of those that do not fit. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Connection, Queue, RedisRefusedError } from "../../src/index.ts";
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
  const queue = new Queue<string>(uniqueName("tls"), { connection });
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

test("a certificate for another name is refused", async () => {
  const port = await startTlsServer(certificates.elsewhere);
  const tls = { ca: certificates.authority.cert };
  await expectRefused({ host: "127.0.0.1", port, tls }, /127\.0\.0\.1.*tls\.servername/);
  await roundTrip({ host: "127.0.0.1", port, tls: { ...tls, servername: "redis.example.com" } });
});

test("a client certificate is shown where the server asks for one, and missed where it is not", async () => {
  const port = await startTlsServer(certificates.server, true);
  const { cert, key } = certificates.client;
  const tls = { ca: certificates.authority.cert };
  await roundTrip({ host: "127.0.0.1", port, tls: { ...tls, cert, key } });
  await expectRefused({ host: "127.0.0.1", port, tls }, /certificate required.*tls\.cert/);
});

test("TLS asked of a server without it is told", async () => {
  const server = await startLocalServer();
  servers.push(server);
  await expectRefused(`rediss://127.0.0.1:${server.port}`, /TLS.*redis:\/\//);
});

/** Each call, and a worker that starts, says so at once; a worker that runs goes on trying. */
async function expectRefused(connection: Connection, message: RegExp): Promise<void> {
  const { worker } = watchedWorker(queueOn(connection), () => undefined);
  const calls = [
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
