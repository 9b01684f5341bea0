/** Claims by hand, and what settles them, under the faults that workers are tested with. */
import { describe, expect, test } from "vitest";
import { LeaseLostError, RedisUnavailableError } from "../../src/index.ts";
import { CALL_TIMEOUT_MS } from "../../src/core/model/limits.ts";
import { callOf, faultyLink, leaseEndsInMs } from "../helpers/faulty-link.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const drops = ["dropNextReply", "dropNextRequest"] as const;
const faults = ["refuse", "blackHole"] as const;
const minutes = { visibilityTimeoutMs: 600_000 };
/** By how much a bound may be missed where others use the machine too. */
const BUSY_MACHINE_MS = 3_000;

async function timed<T>(promise: Promise<T>): Promise<{ outcome: T | Error; tookMs: number }> {
  const startedAt = performance.now();
  const outcome = await promise.catch((error: Error) => error);
  return { outcome, tookMs: performance.now() - startedAt };
}

async function claimInVain(fault: (typeof faults)[number]): Promise<void> {
  const { far, near, proxy } = await faultyLink();
  await far.stats();
  await near.enqueue("x");
  proxy[fault](true);
  if (fault === "refuse") proxy.cut();
  const { outcome, tookMs } = await timed(far.claim());
  expect(outcome).toBeInstanceOf(RedisUnavailableError);
  expect(outcome).toMatchObject({ retryable: true });
  expect(tookMs).toBeLessThan(CALL_TIMEOUT_MS + BUSY_MACHINE_MS);
  proxy[fault](false);
  expect(await far.claim({ waitMs: 5_000 })).toMatchObject([{ data: "x", attempt: 1 }]);
}

async function abortInVain(fault: (typeof faults)[number]): Promise<void> {
  const { far, near, proxy } = await faultyLink();
  const controller = new AbortController();
  const claiming = far.claim({ ...minutes, waitMs: 600_000, signal: controller.signal });
  await waitFor(async () => (await near.stats()).waitingWorkers === 1);
  // Carried out, but never answered.
  proxy.dropNextReply(callOf("claim"));
  await near.enqueue("x");
  await waitFor(() => proxy.pendingDrops === 0);
  proxy[fault](true);
  controller.abort();
  const { outcome, tookMs } = await timed(claiming);
  expect(tookMs).toBeLessThan(CALL_TIMEOUT_MS + BUSY_MACHINE_MS);
  expect([[], expect.any(RedisUnavailableError)]).toContainEqual(outcome);
  proxy[fault](false);
  expect(await far.claim(minutes)).toMatchObject([{ data: "x", attempt: 1 }]);
}

describe("a claim", () => {
  test.each(drops)("%s: brings the same jobs at its next try", async (drop) => {
    const { far, near, proxy } = await faultyLink();
    await near.enqueueMany([{ data: "a" }, { data: "b" }]);
    proxy[drop](callOf("claim"));
    const deliveries = await far.claim({ ...minutes, max: 5 });
    expect(proxy.pendingDrops).toBe(0);
    expect(deliveries.map(({ data, attempt }) => [data, attempt])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    for (const delivery of deliveries) expect(await delivery.ack()).toBe("done");
    expect((await near.stats()).totals).toMatchObject({ completed: 2, expired: 0 });
  });

  test.each(drops)("%s while it waits: brings the job that came meanwhile", async (drop) => {
    const { far, near, proxy } = await faultyLink();
    const claiming = far.claim({ ...minutes, waitMs: 600_000 });
    await waitFor(async () => (await near.stats()).waitingWorkers === 1);
    proxy[drop](callOf("claim"));
    await near.enqueue("x");
    const [delivery] = await claiming;
    expect(proxy.pendingDrops).toBe(0);
    expect(delivery).toMatchObject({ data: "x", attempt: 1 });
    expect(await delivery!.ack()).toBe("done");
  });

  test("outlives an outage that is shorter than its wait", async () => {
    const { far, near, proxy } = await faultyLink();
    const claiming = far.claim({ waitMs: 600_000 });
    await waitFor(async () => (await near.stats()).waitingWorkers === 1);
    proxy.refuse(true);
    proxy.cut();
    await near.enqueue("x");
    proxy.refuse(false);
    expect(await claiming).toMatchObject([{ data: "x", attempt: 1 }]);
  });

  test("ends its wait when its signal aborts", async () => {
    const { far, near } = await faultyLink();
    const controller = new AbortController();
    const claiming = far.claim({ waitMs: 600_000, signal: controller.signal });
    await waitFor(async () => (await near.stats()).waitingWorkers === 1);
    controller.abort();
    expect(await claiming).toEqual([]);
    await waitFor(async () => (await near.stats()).waitingWorkers === 0);
    expect(await far.claim({ waitMs: 600_000, signal: AbortSignal.abort() })).toEqual([]);
  });

  test("without an answer rejects in time, also when its signal aborts, and loses no job", async () => {
    // At the same time, for most of it is waiting.
    await Promise.all(faults.flatMap((fault) => [claimInVain(fault), abortInVain(fault)]));
    expect.assertions(7 * faults.length);
  });

  test("that repeats an unanswered one holds its jobs for its own visibility timeout", async () => {
    const { far, near, proxy, redis, keys } = await faultyLink();
    await near.enqueue("x");
    const controller = new AbortController();
    proxy.dropNextReply(callOf("claim"));
    const claiming = far.claim({ visibilityTimeoutMs: 20_000, signal: controller.signal });
    await waitFor(() => proxy.pendingDrops === 0);
    proxy.refuse(true);
    controller.abort();
    await expect(claiming).rejects.toThrow(RedisUnavailableError);
    proxy.refuse(false);
    const [delivery] = await far.claim(minutes);
    expect(delivery).toMatchObject({ data: "x", attempt: 1 });
    expect(await leaseEndsInMs(redis, keys)).toBeGreaterThan(500_000);
  });
});

test("a claim after one that nobody answered brings what is due", async () => {
  const { far, near, proxy } = await faultyLink();
  await near.enqueue("lost");
  const controller = new AbortController();
  proxy.dropNextReply(callOf("claim"));
  const claiming = far.claim({ visibilityTimeoutMs: 100, signal: controller.signal });
  await waitFor(() => proxy.pendingDrops === 0);
  proxy.refuse(true);
  controller.abort();
  await expect(claiming).rejects.toThrow(RedisUnavailableError);
  // Its job went to another when the lease had ended, and a new one came.
  expect(await near.claim({ waitMs: 10_000, ...minutes })).toMatchObject([{ data: "lost" }]);
  await near.enqueue("new");
  proxy.refuse(false);
  expect(await far.claim(minutes)).toMatchObject([{ data: "new", attempt: 1 }]);
});

describe("a delivery", () => {
  const settlements = {
    ack: { script: "ack", totals: { completed: 1 } },
    nack: { script: "nack", totals: { retried: 1 } },
    bury: { script: "bury", totals: { buried: 1 } },
  } as const;

  test.each(
    Object.entries(settlements).flatMap(([name, { script, totals }]) =>
      drops.map((drop) => ({ name: name as keyof typeof settlements, script, totals, drop })),
    ),
  )("$drop of $name: done, once", async ({ name, script, totals, drop }) => {
    const { far, near, proxy } = await faultyLink();
    await near.enqueue("x");
    const [delivery] = await far.claim(minutes);
    proxy[drop](callOf(script));
    expect(await (name === "bury" ? delivery!.bury("bad") : delivery![name]())).toBe("done");
    expect(proxy.pendingDrops).toBe(0);
    expect((await near.stats()).totals).toMatchObject(totals);
    expect(await near.verify()).toMatchObject({ isSound: true });
  });

  test("an extension whose reply is lost can be repeated", async () => {
    const { far, near, proxy } = await faultyLink();
    await near.enqueue("x");
    const [delivery] = await far.claim(minutes);
    proxy.dropNextReply(callOf("extend"));
    await expect(delivery!.extend()).rejects.toThrow(RedisUnavailableError);
    await delivery!.extend();
    expect(await delivery!.ack()).toBe("done");
    await expect(delivery!.extend()).rejects.toThrow(LeaseLostError);
  });

  test("a settlement without an answer rejects once the lease has ended", async () => {
    const { far, near, proxy } = await faultyLink();
    await near.enqueue("x");
    const [delivery] = await far.claim({ visibilityTimeoutMs: 1_000 });
    proxy.refuse(true);
    proxy.cut();
    const { outcome, tookMs } = await timed(delivery!.ack());
    expect(outcome).toBeInstanceOf(RedisUnavailableError);
    expect(tookMs).toBeLessThan(1_000 + BUSY_MACHINE_MS);
    expect(await near.claim({ waitMs: 10_000 })).toMatchObject([{ data: "x", attempt: 2 }]);
    proxy.refuse(false);
    expect(await delivery!.ack()).toBe("stale");
  });

  test("a second settlement is never answered as done, whatever happens to its reply", async () => {
    const { far, near, proxy } = await faultyLink();
    await near.enqueue("x");
    const [delivery] = await far.claim(minutes);
    expect(await delivery!.ack()).toBe("done");
    proxy.dropNextReply(callOf("nack"));
    expect(await delivery!.nack()).toBe("gone");
    expect(await near.stats()).toMatchObject({ due: 0, totals: { completed: 1, retried: 0 } });
  });
});
