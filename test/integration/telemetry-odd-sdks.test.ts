/** SDKs that call holdfast back, are slow, or meet a Redis that does not answer. */
import { once } from "node:events";
import { propagation } from "@opentelemetry/api";
import { BasicTracerProvider, type SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { expect, onTestFinished, test } from "vitest";
import { observeQueue, Queue, Worker } from "../../src/index.ts";
import { startServer } from "../../tools/redis/start-server.ts";
import { testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { uniqueName } from "../helpers/redis.ts";
import { testTelemetry } from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const noProcessing: SpanProcessor = {
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

test("a span processor that enqueues whenever a handler's span starts or ends", async () => {
  const { queue: audit } = testQueue<string>({ trace: "none" });
  const calls: Promise<unknown>[] = [];
  const note = ({ name }: { readonly name: string }) => {
    if (name.startsWith("process ")) calls.push(audit.enqueue(name));
  };
  const processor = { ...noProcessing, onStart: note, onEnd: note };
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [processor] });
  const { queue } = testQueue<string>({ tracerProvider });
  await queue.enqueueMany([{ data: "a" }, { data: "b" }, { data: "c" }]);
  await testWorker(queue, () => undefined);
  await waitFor(async () => (await queue.stats()).totals.completed === 3);
  await Promise.all(calls);
  expect((await audit.stats()).due).toBe(6);
});

test("an exporter that rejects, and one that never answers", async () => {
  for (const onEnd of [() => Promise.reject(new Error("no")), () => new Promise(() => undefined)]) {
    const rejected: unknown[] = [];
    const processor = {
      ...noProcessing,
      onEnd: () => void onEnd().catch((error: unknown) => rejected.push(error)),
      forceFlush: () => onEnd() as Promise<void>,
    };
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [processor] });
    const { queue } = testQueue<string>({ tracerProvider });
    await queue.enqueue("x");
    const worker = await testWorker(queue, () => undefined);
    await waitFor(async () => (await queue.stats()).totals.completed === 1);
    expect(await worker.close()).toMatchObject({ abandoned: 0 });
  }
});

test("a batch whose jobs share a context has it written once", async () => {
  testTelemetry();
  propagation.disable();
  let written = 0;
  propagation.setGlobalPropagator({
    inject: (_context, carrier, setter) => {
      written += 1;
      setter.set(carrier, "x-trace", "1");
    },
    extract: (context) => context,
    fields: () => ["x-trace"],
  });
  const { queue } = testQueue<number>();
  await queue.enqueueMany(Array.from({ length: 500 }, (_, data) => ({ data })));
  expect(written).toBe(1);
});

test("a Redis that does not answer holds no collection of metrics, and spans tell which job it was", async () => {
  const server = await startServer();
  onTestFinished(() => server.stop());
  const telemetry = testTelemetry();
  const queue = new Queue<string>(uniqueName("frozen"), {
    connection: server.url,
    enqueueTimeoutMs: 2_000,
  });
  onTestFinished(() => queue.close());
  observeQueue(queue);
  expect(await telemetry.points("holdfast.queue.depth")).toHaveLength(4);
  await server.kill("SIGSTOP");
  try {
    const frozen = telemetry.metrics(); // ends although nothing was read
    const enqueuing = queue.enqueue("y", { id: "y", delayMs: 1_500 });
    await expect(enqueuing).rejects.toMatchObject({ code: "ENQUEUE_UNCONFIRMED" });
    const [enqueue] = await telemetry.spansOf("enqueue");
    expect(enqueue).toMatchObject({ status: "ERROR" });
    expect(enqueue!.attributes).toMatchObject({
      "messaging.message.id": "y",
      "holdfast.job.delay": 1.5,
    });
    await frozen;
  } finally {
    await server.kill("SIGCONT");
  }
});

test("a delayed job links to its enqueue after a restart of Redis that keeps it", async () => {
  const server = await startServer({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  onTestFinished(() => server.stop());
  const telemetry = testTelemetry();
  const queue = new Queue<string>(uniqueName("restart"), { connection: server.url });
  onTestFinished(() => queue.close());
  await queue.enqueue("x", { delayMs: 200 });
  await server.restart();
  const worker = new Worker(queue, () => undefined);
  onTestFinished(() => worker.close().then(() => undefined));
  const completed = once(worker, "completed");
  await worker.start();
  await completed;
  const [enqueue] = await telemetry.spansOf("enqueue");
  const [process] = await telemetry.spansOf("process");
  expect(process!.links.map(({ spanId }) => spanId)).toEqual([enqueue!.spanId]);
});
