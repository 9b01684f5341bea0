import { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { Queue, type QueueOptions } from "../../src/index.ts";
import { queueKeys, type QueueKeys } from "../../src/core/store/keys.ts";
import * as scripts from "../../src/scripts/generated.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { testRedisUrl, uniqueName } from "./redis.ts";

export interface FaultyLink<T> {
  readonly url: string;
  /** Reached directly. */
  readonly near: Queue<T>;
  /** The same queue, reached through the proxy. */
  readonly far: Queue<T>;
  readonly proxy: FaultProxy;
  /** A plain client, not through the proxy. */
  readonly redis: Redis;
  readonly keys: QueueKeys;
  /** The same queue, other object. */
  readonly another: (options?: QueueOptions<T>) => Queue<T>;
}

/**
 * A queue that can be reached with and without a proxy in between. The server knows all scripts, so
 * that what a drop catches is the script's run and not its loading. All is closed after the test.
 */
export async function faultyLink<T = string>(
  options: QueueOptions<T> = {},
  url: string = testRedisUrl(),
): Promise<FaultyLink<T>> {
  const name = uniqueName("faulty");
  const keys = queueKeys("holdfast", name);
  const { hostname, port } = new URL(url);
  const proxy = await startFaultProxy({ targetHost: hostname, targetPort: Number(port) });
  onTestFinished(() => proxy.stop());
  const redis = new Redis(url, { disconnectTimeout: 100 });
  onTestFinished(async () => {
    await redis.del(...Object.values(keys));
    redis.disconnect();
  });
  await Promise.all(Object.values(scripts).map(({ source }) => redis.script("LOAD", source)));
  const another = (more: QueueOptions<T> = {}) => {
    const queue = new Queue<T>(name, { connection: url, ...options, ...more });
    onTestFinished(() => queue.close());
    return queue;
  };
  const far = another({ connection: proxy.url });
  const near = another();
  // Of these functions the last is called first: queues that a test leaves open close in good order.
  onTestFinished(() => {
    proxy.refuse(false);
    proxy.blackHole(false);
  });
  return { url, near, far, proxy, redis, keys, another };
}

/** What a drop looks for in a request: the call of this script. */
export function callOf(script: keyof typeof scripts): { containing: string } {
  const { sha1 } = Object.entries(scripts).find(([name]) => name === script)![1];
  return { containing: sha1 };
}

/** Milliseconds on Redis's clock until the earliest lease ends; undefined if there is none. */
export async function leaseEndsInMs(redis: Redis, keys: QueueKeys): Promise<number | undefined> {
  const [, deadline] = await redis.zrange(keys.processing, 0, "0", "WITHSCORES");
  const [seconds, microseconds] = await redis.time();
  return deadline === undefined
    ? undefined
    : Number(deadline) - (Number(seconds) * 1_000 + Number(microseconds) / 1_000);
}
