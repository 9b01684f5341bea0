/** SDKs that come before the queue, after it, never, twice, by option, or through another copy of the API. */
import { type MeterProvider, metrics, trace } from "@opentelemetry/api";
import { expect, onTestFinished, test } from "vitest";
import { InvalidOptionError, observeQueue, Queue } from "../../src/index.ts";
import { testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { registerTelemetry, testTelemetry, unregisteredTelemetry } from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

test("an SDK that is registered while queue and worker run hears of the next job", async () => {
  const { queue } = testQueue<string>();
  const { worker, next } = watchedWorker(queue, () => undefined);
  observeQueue(queue);
  await worker.start();
  const first = next("completed");
  await queue.enqueue("unheard");
  await first;
  const telemetry = testTelemetry();
  await queue.enqueue("heard");
  await telemetry.spansOf("complete");
  const [process] = await telemetry.spansOf("process");
  const [enqueue] = await telemetry.spansOf("enqueue");
  expect(process!.links.map(({ spanId }) => spanId)).toEqual([enqueue!.spanId]);
  expect(await telemetry.points("messaging.process.duration")).toMatchObject([{ value: 1 }]);
  await waitFor(async () => (await telemetry.points("holdfast.queue.depth")).length === 4);
});

test("an SDK that replaces another gets what comes then", async () => {
  const first = testTelemetry();
  const { queue } = testQueue<string>();
  observeQueue(queue);
  await queue.enqueue("one");
  expect(await first.points("holdfast.queue.depth")).toHaveLength(4);
  trace.disable();
  metrics.disable();
  const second = unregisteredTelemetry();
  trace.setGlobalTracerProvider(second.tracerProvider);
  metrics.setGlobalMeterProvider(second.meterProvider);
  await queue.enqueue("two");
  for (const telemetry of [first, second]) {
    expect(telemetry.spans()).toHaveLength(1);
    expect(await telemetry.points("messaging.client.sent.messages")).toMatchObject([{ value: 1 }]);
  }
  await waitFor(async () => (await second.points("holdfast.queue.depth")).length === 4);
});

test("an observer follows a meter provider that has a meter only later", async () => {
  const telemetry = unregisteredTelemetry();
  let isReady = false;
  const meterProvider: MeterProvider = {
    getMeter: (...scope) => {
      if (!isReady) throw new Error("not ready");
      return telemetry.meterProvider.getMeter(...scope);
    },
  };
  const { queue } = testQueue<string>({ meterProvider });
  observeQueue(queue);
  isReady = true;
  await waitFor(async () => (await telemetry.points("holdfast.queue.depth")).length === 4);
});

test("a job that starts under one SDK and ends without is not counted as running for ever", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  const { worker, next } = watchedWorker(queue, () => metrics.disable());
  const completed = next("completed");
  await worker.start();
  await queue.enqueue("x");
  await completed;
  expect(await telemetry.points("holdfast.worker.inflight")).toMatchObject([{ value: 0 }]);
});

test("providers given to the queue are used, and not those registered", async () => {
  const registered = testTelemetry();
  const given = unregisteredTelemetry();
  const { tracerProvider, meterProvider } = given;
  const { queue } = testQueue<string>({ tracerProvider, meterProvider });
  observeQueue(queue);
  await queue.enqueue("x");
  await testWorker(queue, () => undefined);
  await given.spansOf("complete");
  expect(given.spans()).toHaveLength(3);
  expect(await given.points("holdfast.queue.depth")).toHaveLength(4);
  expect(registered.spans()).toEqual([]);
  expect(await registered.metrics()).toEqual([]);
});

test("without any SDK jobs run, and nothing is stored with them", async () => {
  const { queue, redis, keys } = testQueue<string>();
  await queue.enqueue("x", { id: "x", delayMs: 60_000 });
  expect(await redis.hget(keys.jobs, "x")).toMatch(/^1[0-9a-z]+-[0-9a-z]+\n"x"$/);
  await queue.enqueue("y", { trace: "parent" });
  const { worker, next } = watchedWorker(queue, () => undefined);
  const completed = next("completed");
  await worker.start();
  await completed;
});

test("an SDK behind an older copy of the API, which ours cannot use: one warning, and jobs run", async () => {
  const registry = globalThis as unknown as Record<symbol, unknown>;
  const key = Symbol.for("opentelemetry.js.api.1");
  const before = registry[key];
  registry[key] = { version: "1.0.0", trace: {}, metrics: {}, context: {}, propagation: {} };
  const warnings: { code?: string; message: string }[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  onTestFinished(() => {
    process.off("warning", onWarning);
    registry[key] = before;
  });
  const { queue } = testQueue<string>();
  observeQueue(queue);
  await queue.enqueue("x");
  const { worker, next } = watchedWorker(queue, () => undefined);
  const completed = next("completed");
  await worker.start();
  await completed;
  await waitFor(() => warnings.length > 0);
  registry[key] = { version: "1.0.0", trace: {}, metrics: {} };
  await queue.enqueue("y");
  // Warnings come a turn later, in their order.
  process.emitWarning("the last one");
  await waitFor(() => warnings.at(-1)?.message === "the last one");
  warnings.pop();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatchObject({
    name: "HoldfastWarning",
    code: "OPENTELEMETRY_API_COPIES",
    message: expect.stringMatching(/api 1\.0\.0.*npm ls @opentelemetry\/api/s),
  });
});

test("options that are none are refused", () => {
  for (const options of [
    { trace: "child" },
    { createSpans: "yes" },
    { settleSpans: 1 },
    { tracerProvider: {} },
    { meterProvider: null },
  ]) {
    expect(() => new Queue("q", options as never)).toThrow(InvalidOptionError);
  }
});

test("an observer tells the counts at each collection, until it is stopped or its queue closed", async () => {
  const telemetry = testTelemetry();
  const { queue, another, passTime } = testQueue<string>();
  using observer = observeQueue(queue);
  await queue.enqueueMany([{ data: "a" }, { data: "b" }, { data: "c" }]);
  await queue.enqueue("later", { delayMs: 3_600_000 });
  const [delivery] = await queue.claim();
  const [lost] = await queue.claim();
  await lost!.bury("no");
  await passTime(10_000);
  const depth = async () =>
    Object.fromEntries(
      (await telemetry.points("holdfast.queue.depth")).map(({ attributes, value }) => [
        attributes["holdfast.queue.state"],
        value,
      ]),
    );
  expect(await depth()).toEqual({ scheduled: 1, due: 1, leased: 1, dead: 1 });
  const [age] = await telemetry.points("holdfast.queue.oldest_due_age");
  expect(age!.attributes).toEqual({
    "messaging.system": "holdfast",
    "messaging.destination.name": queue.name,
  });
  expect(age!.value).toBeGreaterThanOrEqual(10);
  expect(age!.value).toBeLessThan(600);
  await delivery!.ack();
  expect(await depth()).toMatchObject({ leased: 0 });

  observer.stop();
  observer.stop();
  await queue.enqueue("unseen");
  // An SDK with cumulative metrics goes on exporting what it was told last.
  expect(await depth()).toMatchObject({ due: 1 });
  const other = another();
  observeQueue(other);
  expect(await depth()).toMatchObject({ due: 2 });
  await other.close();
  expect(await depth()).toMatchObject({ due: 2 });
});

test("an observer without a Redis tells nothing, and fails nothing", async () => {
  const telemetry = unregisteredTelemetry();
  registerTelemetry(telemetry);
  const { queue, redis, keys } = testQueue<string>();
  await redis.set(keys.delayed, "not ours");
  observeQueue(queue);
  expect(await telemetry.points("holdfast.queue.depth")).toEqual([]);
});
