/** Starting and closing while Redis cannot be reached: all settles in time, and nothing stays behind. */
import { expect, test } from "vitest";
import {
  ClosedError,
  type CloseSummary,
  DurabilityError,
  EnqueueUnconfirmedError,
  HoldfastError,
  RedisUnavailableError,
} from "../../src/index.ts";
import type { FaultProxy } from "../helpers/fault-proxy.ts";
import { faultyLink, type FaultyLink } from "../helpers/faulty-link.ts";
import { gate } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

/** What `close` may take beyond its own timeout, by its documentation, and some for a busy machine. */
const CLOSE_GRACE_MS = 2_000 + 2_000;
/** What a queue's `close` may take beyond that to end its connection. */
const GOODBYE_MS = 2_000;

const faults: Record<string, (proxy: FaultProxy) => void> = {
  "refused connections": (proxy) => {
    proxy.refuse(true);
    proxy.cut();
  },
  "a black hole": (proxy) => proxy.blackHole(true),
};

type Scenario = (link: FaultyLink<string>, fail: () => void) => Promise<void>;

/** Each scenario under each fault, all at the same time, for most of it is waiting. What failed is returned. */
async function failuresOf(
  scenarios: Readonly<Record<string, Scenario>>,
  options: { enqueueTimeoutMs?: number } = {},
): Promise<string[]> {
  const runs = Object.entries(scenarios).flatMap(([name, scenario]) =>
    Object.entries(faults).map(async ([fault, cause]) => {
      const link = await faultyLink(options);
      const failed = (error: unknown) => `${name} under ${fault}: ${String(error)}`;
      return scenario(link, () => cause(link.proxy)).then(() => "", failed);
    }),
  );
  return (await Promise.all(runs)).filter((failure) => failure !== "");
}

async function timed<T>(promise: Promise<T>): Promise<{ result: T; tookMs: number }> {
  const startedAt = performance.now();
  return { result: await promise, tookMs: performance.now() - startedAt };
}

const abandoned = (count: number): CloseSummary => ({
  finished: 0,
  released: 0,
  abandoned: count,
});

const workers: Record<string, Scenario> = {
  "a worker with running handlers, and its queue": async ({ near, far }, fail) => {
    const never = gate();
    const aborted: unknown[] = [];
    const { worker, seen } = watchedWorker(
      far,
      (job, { signal }) => {
        signal.addEventListener("abort", () => aborted.push(job.id));
        return never.promise;
      },
      { concurrency: 2, prefetch: 3 },
    );
    await near.enqueueMany([1, 2, 3, 4, 5, 6].map((n) => ({ data: `${n}` })));
    await worker.start();
    await waitFor(() => worker.health().running === 5);
    fail();
    const { result, tookMs } = await timed(worker.close({ timeoutMs: 300 }));
    expect(result).toEqual(abandoned(5));
    expect(aborted).toHaveLength(2);
    expect(tookMs).toBeLessThan(300 + CLOSE_GRACE_MS);
    expect(seen.error.every((error) => error instanceof HoldfastError)).toBe(true);
    // Told once, and for good.
    expect(await worker.close()).toBe(result);
    const closed = await timed(far.close());
    expect(closed.tookMs).toBeLessThan(CLOSE_GRACE_MS + GOODBYE_MS);
  },

  "a worker whose handlers have finished, but are not confirmed": async ({ near, far }, fail) => {
    const go = gate();
    const { worker } = watchedWorker(far, () => go.promise);
    await near.enqueueMany([1, 2, 3].map((n) => ({ data: `${n}` })));
    await worker.start();
    await waitFor(() => worker.health().running === 3);
    fail();
    go.resolve();
    const { result, tookMs } = await timed(worker.close({ timeoutMs: 300 }));
    expect(result).toEqual(abandoned(3));
    expect(tookMs).toBeLessThan(300 + CLOSE_GRACE_MS);
  },

  "an idle worker, and one that starts": async ({ far, another, proxy }, fail) => {
    const { worker } = watchedWorker(far, () => undefined, { pollIntervalMs: 20 });
    await worker.start();
    await waitFor(() => worker.health().lastLookAgeMs !== undefined);
    fail();
    const late = another({ connection: proxy.url });
    const { worker: starting } = watchedWorker(late, () => undefined);
    const started = starting.start();
    const [idle, cutShort] = await Promise.all([
      timed(worker.close({ timeoutMs: 300 })),
      timed(starting.close({ timeoutMs: 300 })),
    ]);
    for (const { result, tookMs } of [idle, cutShort]) {
      expect(result).toEqual(abandoned(0));
      expect(tookMs).toBeLessThan(300 + CLOSE_GRACE_MS);
    }
    await late.close();
    const ended = await started.catch((error: unknown) => error);
    expect([undefined, expect.any(ClosedError)]).toContainEqual(ended);
    expect(starting.health()).toMatchObject({ healthy: false, reason: "the worker is closed" });
  },
};

const queues: Record<string, Scenario> = {
  "a queue whose enqueues have given up": async ({ far }, fail) => {
    await far.stats();
    fail();
    const enqueues = Array.from({ length: 500 }, (_, n) => far.enqueue(`${n}`, { id: `${n}` }));
    const outcomes = Promise.allSettled(enqueues);
    await Promise.resolve();
    const { tookMs } = await timed(far.close());
    expect(tookMs).toBeLessThan(CLOSE_GRACE_MS + GOODBYE_MS);
    for (const [n, outcome] of (await outcomes).entries()) {
      const { reason } = outcome as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(EnqueueUnconfirmedError);
      expect(reason).toMatchObject({ ids: [`${n}`] });
    }
    await expect(far.enqueue("late")).rejects.toThrow(ClosedError);
  },

  "a queue whose enqueues wait for replicas": async ({ another, proxy }, fail) => {
    const durability = { replicas: 1, timeoutMs: 100 };
    const far = another({ connection: proxy.url, durability });
    await expect(far.enqueue("opens both connections")).rejects.toThrow(DurabilityError);
    fail();
    const enqueues = Array.from({ length: 500 }, (_, n) => far.enqueue(`${n}`, { id: `${n}` }));
    const outcomes = Promise.allSettled(enqueues);
    await Promise.resolve();
    const { tookMs } = await timed(far.close());
    expect(tookMs).toBeLessThan(CLOSE_GRACE_MS + GOODBYE_MS);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ reason: expect.any(EnqueueUnconfirmedError) });
    }
  },

  "a queue whose wait is long": async ({ near, another }, fail) => {
    const durability = { replicas: 1, timeoutMs: 60_000 };
    const waiting = another({ enqueueTimeoutMs: 1 });
    const outcome = waiting.enqueue("x", { id: "x", durability }).catch((error: unknown) => error);
    await waitFor(async () => (await near.get("x")) !== undefined);
    fail();
    const { tookMs } = await timed(waiting.close());
    expect(tookMs).toBeLessThan(CLOSE_GRACE_MS);
    expect(await outcome).toMatchObject({
      code: "ENQUEUE_UNCONFIRMED",
      ids: ["x"],
      cause: expect.any(ClosedError),
    });
  },

  "a queue while a claim waits, which ends too": async ({ near, far }, fail) => {
    const claiming = far.claim({ waitMs: 600_000 }).catch((error: unknown) => error);
    await waitFor(async () => (await near.stats()).waitingWorkers === 1);
    fail();
    const { tookMs } = await timed(far.close());
    expect(tookMs).toBeLessThan(CLOSE_GRACE_MS + GOODBYE_MS);
    const ended = await timed(claiming);
    expect(ended.tookMs).toBeLessThan(2_000);
    expect([[], expect.any(RedisUnavailableError), expect.any(ClosedError)]).toContainEqual(
      ended.result,
    );
  },
};

test("workers close in time, whatever they were doing", async () => {
  expect(await failuresOf(workers)).toEqual([]);
});

test("queues close in time, and end what waits for them", async () => {
  expect(await failuresOf(queues, { enqueueTimeoutMs: 1_000 })).toEqual([]);
});

test("a worker starts, and works as soon as Redis is there", async () => {
  const { near, far, proxy } = await faultyLink();
  proxy.refuse(true);
  const { worker, seen, next } = watchedWorker(far, () => undefined);
  await worker.start();
  await waitFor(() => seen.error.length > 1);
  for (const error of seen.error) expect(error).toBeInstanceOf(RedisUnavailableError);
  await near.enqueue("x");
  const completed = next("completed");
  proxy.refuse(false);
  expect((await completed).job.attempt).toBe(1);
  expect(worker.health().healthy).toBe(true);
});

test("a worker whose start hangs in a black hole works as soon as that ends", async () => {
  const { near, far, proxy } = await faultyLink();
  proxy.blackHole(true);
  const { worker, next } = watchedWorker(far, () => undefined);
  const starting = worker.start();
  await near.enqueue("x");
  const completed = next("completed");
  proxy.blackHole(false);
  expect((await completed).job.attempt).toBe(1);
  await starting;
  expect(worker.health().healthy).toBe(true);
});
