/** Several shards under faults: no slot, claim or job is kept from others for the sake of a shard that fails. */
import { describe, expect, onTestFinished, test } from "vitest";
import { CALL_TIMEOUT_MS } from "../../src/core/model/limits.ts";
import { queueKeys, shardOfId, shardTags } from "../../src/core/store/keys.ts";
import { RedisUnavailableError } from "../../src/index.ts";
import { callOf, faultyLink } from "../helpers/faulty-link.ts";
import { collector, gate, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const minutes = { visibilityTimeoutMs: 600_000 };
const numbers = Array.from({ length: 1_000 }, (_, index) => index);
/** By how much a bound may be missed where others use the machine too. */
const BUSY_MACHINE_MS = 3_000;

async function shardedLink(shards: number) {
  const link = await faultyLink({ shards });
  const keys = shardTags(link.near.name, shards).map((tag) => queueKeys("holdfast", tag));
  onTestFinished(async () => {
    await Promise.all(keys.map((each) => link.redis.del(Object.values(each))));
  });
  const idsIn = (shard: number, count: number) =>
    numbers
      .map(String)
      .filter((id) => shardOfId(id, shards) === shard)
      .slice(0, count);
  const enqueueIn = (shard: number, count: number) =>
    link.near.enqueueMany(idsIn(shard, count).map((id) => ({ data: "x", id })));
  return { ...link, keys, enqueueIn };
}

describe("a worker", () => {
  test("holds no more than its slots when many shards answer again", async () => {
    const { near, far, proxy, redis, keys, enqueueIn } = await shardedLink(8);
    const done = gate();
    let started = 0;
    const handler = () => {
      started += 1;
      return done.promise;
    };
    const worker = await testWorker(far, handler, { ...minutes, concurrency: 1 });
    let errors = 0;
    worker.on("error", () => void (errors += 1));
    await waitFor(async () => (await near.stats()).waitingWorkers === 1);
    const claims = keys.map((each) => each.claims);
    for (const key of claims) await redis.set(key, "of a wrong type");
    for (let shard = 0; shard < 8; shard += 1) await enqueueIn(shard, 3);
    await waitFor(() => errors > 8 * 5);
    // Slow, so that the repeated claims of several shards are on the wire together.
    proxy.setLatencyMs(300);
    await redis.del(claims);
    await waitFor(() => started === 1);
    proxy.setLatencyMs(0);
    await waitFor(async () => (await near.stats()).waitingWorkers === 0);
    expect(worker.health().running).toBe(1);
    expect(await near.stats()).toMatchObject({ due: 23, processing: 1, totals: { retried: 0 } });
    done.resolve();
    await waitFor(async () => (await near.stats()).totals.completed === 24);
  });

  test("that is woken without a free slot hands over to one that has", async () => {
    const { near, another, enqueueIn } = await shardedLink(2);
    const held = gate();
    const started = collector<string>(2);
    const handler = ({ id }: { id: string }) => {
      started.add(id);
      return held.promise;
    };
    for (const workers of [1, 2]) {
      await testWorker(another(), handler, { concurrency: 1, pollIntervalMs: 600_000 });
      await waitFor(async () => (await near.stats()).waitingWorkers === workers);
    }
    await enqueueIn(0, 1);
    await waitFor(() => started.values.length === 1);
    await enqueueIn(1, 1);
    await started.full;
    held.resolve();
    await waitFor(async () => (await near.stats()).totals.completed === 2);
  });
});

describe("a claim by hand", () => {
  test("gets no more than it asked for from shards whose answers were lost", async () => {
    const { near, far, proxy, enqueueIn } = await shardedLink(2);
    await far.stats();
    await enqueueIn(0, 1);
    await enqueueIn(1, 3);
    proxy.dropNextReply(callOf("claim"));
    proxy.dropNextReply(callOf("claim"));
    const deliveries = await far.claim({ ...minutes, max: 3 });
    expect(proxy.pendingDrops).toBe(0);
    expect(deliveries).toHaveLength(3);
    expect(await near.stats()).toMatchObject({ due: 1, processing: 3 });
    for (const delivery of deliveries) expect(await delivery.ack()).toBe("done");
  });

  test("that the close overtakes between two shards gives back what it has", async () => {
    const { near, far, proxy, enqueueIn } = await shardedLink(16);
    await far.stats();
    for (let shard = 0; shard < 16; shard += 1) await enqueueIn(shard, 1);
    proxy.setLatencyMs(20);
    const claiming = far.claim({ ...minutes, max: 16 });
    await waitFor(async () => (await near.stats()).processing > 1);
    await far.close();
    expect(await claiming).toEqual([]);
    expect(await near.stats()).toMatchObject({ due: 16, processing: 0, totals: { retried: 0 } });
  });

  test("is not kept by many silent shards: beyond its wait, or when its signal aborts", async () => {
    const { far, proxy } = await shardedLink(16);
    await far.stats();
    proxy.blackHole(true);
    const startedAt = performance.now();
    const failure = async (claiming: Promise<unknown>) => {
      await expect(claiming).rejects.toThrow(RedisUnavailableError);
      return performance.now() - startedAt;
    };
    const controller = new AbortController();
    const aborted = failure(far.claim({ waitMs: 600_000, signal: controller.signal }));
    const unanswered = failure(far.claim());
    controller.abort();
    expect(await aborted).toBeLessThan(CALL_TIMEOUT_MS + BUSY_MACHINE_MS);
    expect(await unanswered).toBeLessThan(2 * CALL_TIMEOUT_MS + BUSY_MACHINE_MS);
    proxy.blackHole(false);
    expect(await far.claim()).toEqual([]);
  });
});
