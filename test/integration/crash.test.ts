/** Worker processes that die, stall, block and leave: each job runs on elsewhere, and is settled once. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { fixed, type Job } from "../../src/index.ts";
import { testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { startWorkerProcess } from "../helpers/processes/start-worker.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const visibilityTimeoutMs = 1_000;
const minutesMs = 600_000;

test("killed: another runs its jobs when their leases end", async () => {
  const { queue } = testQueue<string>();
  await queue.enqueueMany(["a", "b", "c"].map((id) => ({ data: id, id })));
  const killed = startWorkerProcess({
    queueName: queue.name,
    handler: "hold",
    options: { visibilityTimeoutMs, concurrency: 3 },
  });
  const held = await killed.tells("started", 3);
  expect(held.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);

  const runs: { job: Job<string>; at: number }[] = [];
  const { worker, seen } = watchedWorker(
    queue,
    (job: Job<string>) => void runs.push({ job, at: performance.now() }),
    { visibilityTimeoutMs },
  );
  await worker.start();
  const killedAt = performance.now();
  killed.signal("SIGKILL");
  await waitFor(() => seen.completed.length === 3);
  for (const { job, at } of runs) {
    // At most a second more, and some for a busy machine: less than the poll interval in any case.
    expect(at - killedAt).toBeLessThan(visibilityTimeoutMs + 3_000);
    expect(job.attempt).toBe(2);
    const before = held.find(({ id }) => id === job.id)!;
    expect(job.fencingToken).toBeGreaterThan(before.fencingToken);
  }
  expect((await queue.stats()).totals).toMatchObject({ completed: 3, expired: 3, retried: 0 });
  expect(await queue.verify()).toMatchObject({ isSound: true, jobs: 0 });
});

test("stopped past its lease and continued: what it still settles is refused", async () => {
  const { queue } = testQueue<string>();
  await queue.enqueue("x", { id: "x" });
  const options = { visibilityTimeoutMs, concurrency: 1 };
  const stalled = startWorkerProcess({ queueName: queue.name, handler: "hold", options });
  const [held] = await stalled.tells("started");
  stalled.signal("SIGSTOP");

  const { worker, next } = watchedWorker(queue, () => undefined, { visibilityTimeoutMs });
  await worker.start();
  const { job } = await next("completed");
  expect(job).toMatchObject({ id: "x", attempt: 2 });
  expect(job.fencingToken).toBeGreaterThan(held!.fencingToken);
  await worker.close();

  stalled.finish();
  stalled.signal("SIGCONT");
  expect(await stalled.tells("lease-lost")).toEqual([{ kind: "lease-lost", id: "x" }]);
  expect(stalled.told("completed")).toEqual([]);
  // It has not been harmed: it runs the next job.
  await queue.enqueue("y", { id: "y" });
  expect(await stalled.tells("completed")).toEqual([{ kind: "completed", id: "y" }]);
  expect((await queue.stats()).totals).toMatchObject({ enqueued: 2, completed: 2, expired: 1 });
});

test.each([
  { when: "while another holds the job", isFinished: false },
  { when: "after another finished it", isFinished: true },
])("blocked past its lease: its ack is refused, $when", async ({ isFinished }) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-crash-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "go");
  const { queue } = testQueue<string>();
  await queue.enqueue("x", { id: "x" });
  const blocked = startWorkerProcess({
    queueName: queue.name,
    handler: "block",
    file,
    options: { visibilityTimeoutMs: 500 },
  });
  await blocked.tells("started");
  const [delivery] = await queue.claim({ waitMs: 10_000, visibilityTimeoutMs: minutesMs });
  expect(delivery).toMatchObject({ id: "x", attempt: 2 });
  const early = isFinished ? await delivery!.ack() : "";
  // Its handler returns, and no timer runs before its ack goes out: only Redis can refuse it.
  await writeFile(file, "");
  await blocked.tells("lease-lost");
  expect(blocked.told("completed")).toEqual([]);
  expect(isFinished ? early : await delivery!.ack()).toBe("done");
  expect((await queue.stats()).totals).toMatchObject({ completed: 1, expired: 1 });
});

test("closed on SIGTERM: its jobs run elsewhere at once, as the same attempt", async () => {
  const { queue } = testQueue<string>();
  await queue.enqueueMany(["a", "b", "c"].map((id) => ({ data: id, id })));
  const options = { visibilityTimeoutMs: minutesMs, pollIntervalMs: minutesMs };
  const closing = startWorkerProcess({
    queueName: queue.name,
    handler: "hold",
    options: { ...options, concurrency: 2, prefetch: 1 },
  });
  await closing.tells("started", 2);
  await waitFor(async () => (await queue.stats()).processing === 3);
  const { worker, seen } = watchedWorker(queue, () => undefined, options);
  await worker.start();
  closing.signal("SIGTERM");
  const [closed] = await closing.tells("closed");
  expect(closed!.summary).toEqual({ finished: 0, released: 3, abandoned: 0 });
  await waitFor(() => seen.completed.length === 3);
  expect(seen.completed.map(({ job }) => job.attempt)).toEqual([1, 1, 1]);
  // Nothing keeps the process alive.
  expect(await closing.ended).toEqual([0, null]);
  expect((await queue.stats()).totals).toMatchObject({ completed: 3, expired: 0, retried: 0 });
});

test("a job that takes its worker down every time waits its backoff, and is buried in the end", async () => {
  const { queue, keys, redis } = testQueue<string>();
  await queue.enqueue("poison", { id: "poison" });
  const backoffMs = 2_500;
  const options = { visibilityTimeoutMs: 300, maxAttempts: 3 };
  const dueAt = async () => Number(await redis.zscore(keys.delayed, "poison"));
  const now = async () => {
    const [seconds, microseconds] = await redis.time();
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  };
  const start = () =>
    startWorkerProcess({ queueName: queue.name, handler: "exit", backoffMs, options });
  // The first time the job runs again as soon as its lease has ended.
  for (const attempt of [1, 2]) {
    const child = start();
    expect(await child.tells("started")).toMatchObject([{ id: "poison", attempt }]);
    expect(await child.ended).toEqual([1, null]);
  }
  const third = start();
  await third.tells("stalled");
  expect(third.told("started")).toEqual([]);
  const reapedAt = await now();
  const due = await dueAt();
  expect(due).toBeGreaterThan(reapedAt);
  expect(due).toBeLessThanOrEqual(reapedAt + backoffMs);
  expect(await third.tells("started")).toMatchObject([{ id: "poison", attempt: 3 }]);
  expect(await third.ended).toEqual([1, null]);

  const { worker, next } = watchedWorker(queue, () => undefined, {
    ...options,
    backoff: fixed({ delayMs: 0 }),
  });
  const dead = next("dead");
  await worker.start();
  expect(await dead).toMatchObject({ id: "poison", job: undefined, reason: "" });
  const { jobs } = await queue.dead.list();
  expect(jobs).toMatchObject([{ id: "poison", failedAttempts: 3, data: "poison" }]);
  expect(jobs[0]!.lastError).toContain("lease expired");
  expect((await queue.stats()).totals).toMatchObject({ buried: 1, expired: 3, completed: 0 });
});
