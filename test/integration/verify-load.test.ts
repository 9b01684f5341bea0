/** The audit beside running workers: it invents no breach, and mends nobody's job into a second holder. */
import { expect, test, vi } from "vitest";
import { MEND_MAX_LEASES } from "../../src/core/model/limits.ts";
import type { VerifyReport } from "../../src/index.ts";
import { type TestQueue, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();
vi.setConfig({ testTimeout: 60_000 }); // each works until all jobs are done, on a machine that may be busy

/** Jobs that are held until the test is over. */
async function hold({ queue }: TestQueue<number, number>, count: number): Promise<void> {
  await queue.enqueueMany(Array.from({ length: count }, (_, n) => ({ data: n, id: `held-${n}` })));
  for (let held = 0; held < count;) {
    held += (await queue.claim({ max: 100, visibilityTimeoutMs: 3_600_000 })).length;
  }
}

/** Works on all jobs while it audits with repairs, again and again. */
async function workAndAudit(test: TestQueue<number, number>, jobs: number) {
  const { queue } = test;
  const running = new Set<string>();
  const seen = { runs: new Map<string, number>(), overlaps: [] as string[] };
  const handler = async ({ id, data }: { id: string; data: number }) => {
    if (running.has(id)) seen.overlaps.push(id);
    running.add(id);
    seen.runs.set(id, (seen.runs.get(id) ?? 0) + 1);
    await new Promise((resolve) => setTimeout(resolve, data % 4));
    running.delete(id);
  };
  await queue.enqueueMany(Array.from({ length: jobs }, (_, data) => ({ data, id: `job-${data}` })));
  await testWorker(queue, handler, { concurrency: 50 });
  await testWorker(test.another(), handler, { concurrency: 50 });
  const reports: VerifyReport[] = [];
  const auditor = test.another();
  while (seen.runs.size < jobs || running.size > 0) {
    reports.push(await auditor.verify({ repair: true }));
  }
  await waitFor(async () => (await queue.stats()).totals.completed === jobs);
  expect(reports.flatMap(({ breaches }) => breaches)).toEqual([]);
  expect(seen.overlaps).toEqual([]);
  expect([...seen.runs.values()].filter((runs) => runs > 1)).toEqual([]);
  return reports;
}

test("few leases", async () => {
  const test = testQueue<number>();
  const reports = await workAndAudit(test, 3_000);
  expect(reports.every(({ isSound }) => isSound)).toBe(true);
  expect(await test.queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
});

test("more leases than can be searched", async () => {
  const test = testQueue<number>();
  const held = MEND_MAX_LEASES + 100;
  await hold(test, held);
  await workAndAudit(test, 3_000);
  expect(await test.queue.verify()).toMatchObject({ isSound: true, jobs: held });
});

test("jobs given back and claimed again and again", async () => {
  const { queue } = testQueue<number>();
  await queue.enqueueMany(Array.from({ length: 2_000 }, (_, data) => ({ data })));
  const stop = new AbortController();
  const churn = (async () => {
    while (!stop.signal.aborted) {
      const deliveries = await queue.claim({ max: 50, waitMs: 100 });
      await Promise.all(deliveries.map((d, n) => (n % 2 ? d.nack() : d.nack({ delayMs: 5 }))));
    }
  })();
  try {
    for (let n = 0; n < 3; n += 1) {
      expect(await queue.verify({ repair: true })).toMatchObject({ isSound: true });
    }
  } finally {
    stop.abort();
    await churn;
  }
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 2_000 });
});

test("with more leases than can be searched, an orphan is judged once the queue is paused", async () => {
  const test = testQueue<number>();
  const { queue, redis, keys } = test;
  await hold(test, MEND_MAX_LEASES + 1);
  await queue.enqueueMany(
    Array.from({ length: 500 }, (_, data) => ({ data, id: `job-${data}`, delayMs: 600_000 })),
  );
  await redis.zrem(keys.delayed, "job-1", "job-2");
  const stop = new AbortController();
  const claims = (async () => {
    while (!stop.signal.aborted) {
      await queue.enqueue(0);
      for (const delivery of await queue.claim({ max: 10 })) await delivery.ack();
    }
  })();
  const auditor = test.another();
  try {
    // What was claimed during each look proves nothing either way; in between, an orphan may be proven.
    const report = await auditor.verify({ repair: false });
    expect(report).toMatchObject({ isSound: false, isComplete: true });
    expect(report.breachCount + report.unknownCount).toBeGreaterThanOrEqual(2);
    expect(report.breaches.every(({ id }) => id === "job-1" || id === "job-2")).toBe(true);
  } finally {
    stop.abort();
    await claims;
  }
  await queue.pause();
  const report = await auditor.verify({ repair: true });
  expect(report).toMatchObject({ breachCounts: { orphan: 2 }, breachCount: 2, unknownCount: 0 });
  await queue.resume();
  expect(await auditor.verify()).toMatchObject({ isSound: true });
});
