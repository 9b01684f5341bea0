/** Nothing arrives and nobody says so: leases end by the worker's own clock, and health tells. */
import { expect, test } from "vitest";
import { type Job, LeaseLostError } from "../../src/index.ts";
import { LOOK_LATENESS_ALLOWED_MS } from "../../src/core/model/limits.ts";
import { faultyLink } from "../helpers/faulty-link.ts";
import { gate } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

test("a worker cut off from Redis gives its job up before another gets it, and works on later", async () => {
  const { near, far, proxy } = await faultyLink();
  const options = { visibilityTimeoutMs: 1_500, pollIntervalMs: 50 };
  const order: string[] = [];
  const held = gate<Job<string>>();
  const release = gate();
  const first = watchedWorker(
    far,
    async (job, { signal }) => {
      if (job.data === "next") return;
      held.resolve(job);
      signal.addEventListener("abort", () => {
        expect(signal.reason).toBeInstanceOf(LeaseLostError);
        order.push("aborted");
      });
      await release.promise;
    },
    options,
  );
  await first.worker.start();
  await near.enqueue("x");
  const lostJob = await held.promise;
  proxy.blackHole(true);

  const second = watchedWorker(near, () => void order.push("second"), options);
  await second.worker.start();
  const { job } = await second.next("completed");
  expect(order).toEqual(["aborted", "second"]);
  expect(job.attempt).toBe(2);
  expect(job.fencingToken).toBeGreaterThan(lostJob.fencingToken);
  await second.worker.close();

  const lost = first.next("lease-lost");
  release.resolve();
  expect(await lost).toEqual({ id: job.id, fencingToken: lostJob.fencingToken });
  expect(first.seen.completed).toEqual([]);
  expect((await near.stats()).totals).toMatchObject({ completed: 1, expired: 1, retried: 0 });

  await near.enqueue("next");
  const next = first.next("completed");
  proxy.blackHole(false);
  expect((await next).job).toMatchObject({ data: "next", attempt: 1 });
  expect(await near.verify()).toMatchObject({ isSound: true, jobs: 0 });
});

test("a handler that fails or finishes after its lease was lost settles nothing", async () => {
  const { near, far, proxy } = await faultyLink();
  const release = gate();
  const first = watchedWorker(
    far,
    async (job) => {
      await release.promise;
      if (job.data === "throws") throw new Error("late");
    },
    { visibilityTimeoutMs: 1_500 },
  );
  await first.worker.start();
  await near.enqueueMany([{ data: "throws" }, { data: "returns" }]);
  await waitFor(() => first.worker.health().running === 2);
  proxy.blackHole(true);
  const deliveries = await near.claim({ waitMs: 10_000, max: 2 });
  if (deliveries.length < 2) deliveries.push(...(await near.claim({ waitMs: 10_000 })));
  expect(deliveries.map(({ attempt }) => attempt)).toEqual([2, 2]);
  proxy.blackHole(false);
  release.resolve();
  await waitFor(() => first.seen["lease-lost"].length === 2);
  for (const delivery of deliveries) expect(await delivery.ack()).toBe("done");
  await first.worker.close();
  expect(first.counts()).not.toHaveProperty("completed");
  expect(first.counts()).not.toHaveProperty("retried");
  expect((await near.stats()).totals).toMatchObject({ completed: 2, retried: 0, expired: 2 });
});

/** Red when it is deaf, green again afterwards. */
async function watchDeafWorker(): Promise<void> {
  const { near, far, proxy } = await faultyLink();
  const { worker, next } = watchedWorker(far, () => undefined, { pollIntervalMs: 50 });
  expect(worker.health()).toMatchObject({ healthy: false, reason: "the worker is new" });
  await worker.start();
  await waitFor(() => worker.health().lastLookAgeMs !== undefined);
  expect(worker.health()).toMatchObject({ healthy: true, reason: undefined });

  proxy.blackHole(true);
  const deafSince = performance.now() - worker.health().lastLookAgeMs!;
  await near.enqueue("x");
  await waitFor(() => !worker.health().healthy);
  const redAfterMs = performance.now() - deafSince;
  expect(redAfterMs).toBeGreaterThan(LOOK_LATENESS_ALLOWED_MS + 50);
  expect(redAfterMs).toBeLessThan(LOOK_LATENESS_ALLOWED_MS + 50 + 3_000);
  expect(worker.health().reason).toMatch(/^no look for due jobs was completed for \d+ ms$/);

  const completed = next("completed");
  proxy.blackHole(false);
  expect((await completed).job.attempt).toBe(1);
  expect(worker.health()).toMatchObject({ healthy: true, reason: undefined });
  await worker.close();
  expect(worker.health()).toMatchObject({ healthy: false, reason: "the worker is closed" });
}

/** Green all the time, also for a probe that comes in the very moment when a slot becomes free. */
async function watchBusyWorker(): Promise<void> {
  const { near } = await faultyLink();
  const release = gate();
  const { worker, next } = watchedWorker(near, () => release.promise, {
    concurrency: 1,
    pollIntervalMs: 50,
  });
  await worker.start();
  await near.enqueueMany([{ data: "x" }, { data: "y" }]);
  const isLongAgo = () =>
    (worker.health().lastLookAgeMs ?? 0) > LOOK_LATENESS_ALLOWED_MS + 50 + 100;
  await waitFor(() => !worker.health().healthy || isLongAgo());
  expect(worker.health()).toMatchObject({ healthy: true, running: 1 });
  const moments: Promise<unknown>[] = [
    release.promise.then(() => new Promise<void>((resolve) => process.nextTick(resolve))),
    next("completed"),
  ];
  const probed = Promise.all(moments.map((moment) => moment.then(() => worker.health())));
  release.resolve();
  expect(await probed).toMatchObject([{ healthy: true }, { healthy: true }]);
}

test("health is red while the worker is deaf, and only then", async () => {
  // At the same time, for most of it is waiting.
  await expect(Promise.all([watchDeafWorker(), watchBusyWorker()])).resolves.toBeDefined();
});
