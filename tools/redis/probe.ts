import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

const connectTimeoutMs = 5_000;
const retryEveryMs = 25;
const slotCount = 16_384;

/** Asks a server who it is, for instance "redis 7.0.15"; fails at once when it does not answer. */
export async function askServer(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const info = await client.info("server");
    const valkeyVersion = infoField(info, "valkey_version");
    return valkeyVersion ? `valkey ${valkeyVersion}` : `redis ${infoField(info, "redis_version")}`;
  });
}

export async function waitUntilAnswers(url: string, timeoutMs: number): Promise<string> {
  return retryUntil(timeoutMs, `${url} does not answer`, () => askServer(url));
}

/** Makes a lone server in cluster mode a whole cluster. A restarted one has its slots already. */
export async function serveAllSlots(url: string, timeoutMs: number): Promise<void> {
  await withClient(url, async (client) => {
    const info = await client.cluster("INFO");
    if (infoField(info, "cluster_slots_assigned") !== String(slotCount)) {
      await client.call("CLUSTER", "ADDSLOTSRANGE", "0", String(slotCount - 1));
    }
    await retryUntil(timeoutMs, `the cluster at ${url} is not ready`, async () => {
      const state = infoField(await client.cluster("INFO"), "cluster_state");
      if (state !== "ok") {
        throw new Error(`cluster_state is ${state}`);
      }
    });
  });
}

async function retryUntil<Result>(
  timeoutMs: number,
  failure: string,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`After ${timeoutMs} ms ${failure}.`, { cause: error });
      }
    }
    await sleep(retryEveryMs);
  }
}

async function withClient<Result>(
  url: string,
  use: (client: Redis) => Promise<Result>,
): Promise<Result> {
  const client = new Redis(url, {
    lazyConnect: true,
    disconnectTimeout: 100, // a socket that is gone already never tells ioredis, which waits 2 s by default
    connectTimeout: connectTimeoutMs,
    commandTimeout: connectTimeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // The rejections say only "Connection is closed"; the reason comes with this event.
  let reason: Error | undefined;
  client.on("error", (error: Error) => {
    reason = error;
  });
  try {
    await client.connect();
    return await use(client);
  } catch (error) {
    throw reason ?? error;
  } finally {
    client.disconnect();
  }
}

function infoField(info: string, name: string): string | undefined {
  const line = info.split("\r\n").find((candidate) => candidate.startsWith(`${name}:`));
  return line?.slice(name.length + 1);
}
