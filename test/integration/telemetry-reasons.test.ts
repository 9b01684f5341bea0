/** Why a job is delivered: on its span, with its lag, and counted where the delivery is not the first. */
import { expect, test } from "vitest";
import { DeadLetter, fixed, type Handler, RetryLater } from "../../src/index.ts";
import { gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { startWorkerProcess } from "../helpers/processes/start-worker.ts";
import { type TestTelemetry, testTelemetry } from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const REASON = "holdfast.job.delivery_reason";
const minuteMs = 60_000;

/** By reason, how many values a metric has. */
async function byReason(telemetry: TestTelemetry, metric: string): Promise<object> {
  const points = await telemetry.points(metric);
  return Object.fromEntries(points.map(({ attributes, value }) => [attributes[REASON], value]));
}

/** Spans, lags and redeliveries all tell these reasons, in the order of the deliveries. */
async function expectReasons(telemetry: TestTelemetry, reasons: readonly string[]): Promise<void> {
  const spans = await telemetry.spansOf("process", reasons.length);
  expect(spans.map(({ attributes }) => attributes[REASON])).toEqual(reasons);
  const counts: Record<string, number> = {};
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1;
  expect(await byReason(telemetry, "holdfast.job.schedule_lag")).toEqual(counts);
  const { first: _, ...again } = counts;
  expect(await byReason(telemetry, "holdfast.job.redeliveries")).toEqual(again);
}

/** A handler whose runs do one thing after the other. */
function inTurn(...runs: (() => unknown)[]): Handler<string> {
  return async () => {
    await runs.shift()?.();
  };
}

const succeed = () => undefined;
const fail = () => Promise.reject(new Error("broken"));
const later = () => Promise.reject(new RetryLater({ delayMs: 1 }));

test.each([
  { what: "nothing", runs: [], reasons: ["first"] },
  { what: "a failure", runs: [fail], reasons: ["first", "retry"] },
  { what: "RetryLater", runs: [later], reasons: ["first", "released"] },
  {
    what: "a release, then a failure",
    runs: [later, fail],
    reasons: ["first", "released", "retry"],
  },
  {
    what: "a failure, then a release",
    runs: [fail, later],
    reasons: ["first", "retry", "released"],
  },
])("after $what", async ({ runs, reasons }) => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueue("x");
  await testWorker(queue, inTurn(...runs, succeed), { backoff: fixed({ delayMs: 1 }) });
  await expectReasons(telemetry, reasons);
});

test("after a worker that closed", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueue("x");
  const started = gate();
  const closing = await testWorker(queue, async () => {
    started.resolve();
    await new Promise(() => undefined);
  });
  await started.promise;
  await closing.close({ timeoutMs: 0 });
  await testWorker(queue, succeed);
  await expectReasons(telemetry, ["first", "released"]);
});

test("after a redrive, and a failure after it", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueue("x", { id: "x" });
  const bury = () => Promise.reject(new DeadLetter("not wanted"));
  await testWorker(queue, inTurn(later, bury, fail, succeed), { backoff: fixed({ delayMs: 1 }) });
  await waitFor(async () => (await queue.stats()).dead === 1);
  expect(await queue.dead.redrive({ ids: ["x"] })).toBe(1);
  await expectReasons(telemetry, ["first", "released", "redrive", "retry"]);
});

test("after SIGKILL", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueue("x", { id: "x" });
  const options = { visibilityTimeoutMs: 1_000 };
  const killed = startWorkerProcess({ queueName: queue.name, handler: "hold", options });
  await killed.tells("started");
  killed.signal("SIGKILL");
  await testWorker(queue, succeed, options);
  await expectReasons(telemetry, ["lease_expired"]);
});

test("of claims by hand, also of several reasons in one", async () => {
  const telemetry = testTelemetry();
  const { queue, passTime } = testQueue<string>();
  for (const id of ["failed", "released", "revived", "lost", "released too"]) {
    await queue.enqueue(id, { id });
  }
  for (const delivery of await queue.claim({ max: 5, visibilityTimeoutMs: 30_000 })) {
    const { id } = delivery;
    if (id === "failed") await delivery.nack({ error: new Error("boom") });
    if (id.startsWith("released")) await delivery.nack({ countsAttempt: false });
    if (id === "revived") await delivery.bury("not wanted");
  }
  await queue.dead.redrive({ ids: ["revived"] });
  await passTime(minuteMs);
  await queue.enqueue("new");
  let claimed = 0;
  while (claimed < 6) claimed += (await queue.claim({ max: 10, waitMs: 10_000 })).length;

  const again = { retry: 1, released: 2, redrive: 1, lease_expired: 1 };
  expect(await byReason(telemetry, "holdfast.job.redeliveries")).toEqual(again);
  const lags = { ...again, first: 6 };
  expect(await byReason(telemetry, "holdfast.job.schedule_lag")).toEqual(lags);
  // What users see of the last failure bears no mark.
  expect(await queue.get("failed")).toMatchObject({ lastError: "Error: boom", failedAttempts: 1 });
  expect(await queue.get("released")).toMatchObject({ lastError: undefined, failedAttempts: 0 });
  expect(await queue.get("revived")).toMatchObject({ lastError: undefined, failedAttempts: 0 });
});
