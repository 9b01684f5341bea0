/** Faults under a client that the application owns: ioredis resends by itself, and nothing times out. */
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  EnqueueUnconfirmedError,
  fixed,
  type Queue,
  RedisUnavailableError,
} from "../../src/index.ts";
import { callOf, faultyLink, type FaultyLink } from "../helpers/faulty-link.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const drops = ["dropNextReply", "dropNextRequest"] as const;
/** So long that no test could wait for its end. */
const minutes = { visibilityTimeoutMs: 600_000, pollIntervalMs: 600_000 };

/** The queue of a link through a client with ioredis's own defaults. */
async function borrowed(
  { proxy, another }: FaultyLink<string>,
  enqueueTimeoutMs = 5_000,
): Promise<Queue<string>> {
  const client = new Redis(proxy.url);
  // What ioredis resends is not noise of the test.
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  await client.ping();
  return another({ connection: client, enqueueTimeoutMs });
}

describe.each(drops)("%s", (drop) => {
  test("of each call of a job's life: it is enqueued, retried and completed once", async () => {
    const link = await faultyLink();
    const { proxy, near } = link;
    const queue = await borrowed(link);
    const { worker, seen } = watchedWorker(
      queue,
      ({ attempt }) => {
        proxy[drop](callOf(attempt === 1 ? "nack" : "ack"));
        if (attempt === 1) throw new Error("once");
      },
      { ...minutes, backoff: fixed({ delayMs: 0 }) },
    );
    proxy[drop](callOf("enqueue"));
    expect(await queue.enqueue("x")).toMatchObject({ status: "created" });
    proxy[drop](callOf("claim"));
    await worker.start();
    await waitFor(() => seen.completed.length === 1);
    expect(proxy.pendingDrops).toBe(0);
    await worker.close();
    expect(seen.completed[0]!.job.attempt).toBe(2);
    expect(seen.retried).toHaveLength(1);
    expect(seen["lease-lost"]).toEqual([]);
    expect(await near.stats()).toMatchObject({
      due: 0,
      processing: 0,
      totals: { enqueued: 1, completed: 1, retried: 1, expired: 0 },
    });
  });
});

test("a black hole ends in errors that say so, and what was held is stored once", async () => {
  const link = await faultyLink();
  const { proxy, near } = link;
  const queue = await borrowed(link, 500);
  await queue.stats();
  proxy.blackHole(true);
  const error = await queue.enqueue("x", { id: "x" }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EnqueueUnconfirmedError);
  expect((error as Error).cause).toBeInstanceOf(RedisUnavailableError);
  proxy.blackHole(false);
  expect((await queue.enqueue("x", { id: "x" })).status).toBe("duplicate");
  expect((await near.stats()).totals.enqueued).toBe(1);
});

test("the client stays usable after its queue and worker were closed in an outage", async () => {
  const link = await faultyLink();
  const { proxy } = link;
  const client = new Redis(proxy.url);
  client.on("error", () => undefined);
  onTestFinished(() => client.disconnect());
  const queue = link.another({ connection: client, enqueueTimeoutMs: 500 });
  const { worker } = watchedWorker(queue, () => undefined);
  await worker.start();
  proxy.refuse(true);
  proxy.cut();
  await worker.close({ timeoutMs: 0 });
  await queue.close();
  proxy.refuse(false);
  expect(await client.ping()).toBe("PONG");
  expect(proxy.connectionCount).toBe(1);
});
