/** The spans of a job's ordinary life: their names, kinds, parents, links and attributes. */
import { expect, test } from "vitest";
import { fixed } from "../../src/index.ts";
import { testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testClusterNodes, testRedisUrl } from "../helpers/redis.ts";
import { testTelemetry, withinSpan } from "../helpers/telemetry.ts";

failOnLeaks();

/** What each span of a queue has. */
function common(queueName: string, operation: string, type: string): object {
  const { hostname, port } = new URL(testRedisUrl());
  const server = { "server.address": hostname, "server.port": Number(port) };
  return {
    "messaging.system": "holdfast",
    "messaging.destination.name": queueName,
    "messaging.operation.name": operation,
    "messaging.operation.type": type,
    ...(testClusterNodes().length === 0 && server),
  };
}

test("a job: enqueue in the caller's trace, process in its own with a link, complete within that", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  const caller = await withinSpan(telemetry, async (span) => {
    await queue.enqueue("x", { id: "x" });
    return span.spanContext();
  });
  const worker = await testWorker(queue, () => undefined, { maxAttempts: 7 });
  const [complete] = await telemetry.spansOf("complete");
  const [enqueue] = await telemetry.spansOf("enqueue");
  const [process] = await telemetry.spansOf("process");

  expect(enqueue).toMatchObject({
    name: `enqueue ${queue.name}`,
    kind: "PRODUCER",
    traceId: caller.traceId,
    parentId: caller.spanId,
    links: [],
    status: "UNSET",
    events: [],
  });
  expect(enqueue!.attributes).toEqual({
    ...common(queue.name, "enqueue", "send"),
    "messaging.message.id": "x",
  });

  expect(process).toMatchObject({
    name: `process ${queue.name}`,
    kind: "CONSUMER",
    parentId: undefined,
    links: [{ spanId: enqueue!.spanId, attributes: { "messaging.message.id": "x" } }],
    status: "UNSET",
    events: [],
  });
  expect(process!.traceId).not.toBe(caller.traceId);
  expect(process!.attributes).toEqual({
    ...common(queue.name, "process", "process"),
    "messaging.message.id": "x",
    "messaging.client.id": worker.id,
    "holdfast.job.attempt": 1,
    "holdfast.job.max_attempts": 7,
    "holdfast.job.schedule_lag": expect.any(Number),
    "holdfast.job.delivery_reason": "first",
    "holdfast.job.outcome": "completed",
  });
  expect(process!.attributes["holdfast.job.schedule_lag"]).toBeGreaterThanOrEqual(0);

  expect(complete).toMatchObject({
    name: `complete ${queue.name}`,
    kind: "CLIENT",
    traceId: process!.traceId,
    parentId: process!.spanId,
    links: [],
    status: "UNSET",
  });
  expect(complete!.attributes).toEqual({
    ...common(queue.name, "complete", "settle"),
    "messaging.message.id": "x",
  });
  // Nothing else: no look, no heartbeat, no wake-up.
  expect(
    telemetry
      .spans()
      .map(({ name }) => name.split(" ")[0])
      .toSorted(),
  ).toEqual(["complete", "enqueue", "process", "request"]);
});

test("a delay and a duplicate are told", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueue("x", { id: "x", delayMs: 90_500 });
  await queue.enqueue("y", { id: "x", runAt: Date.now() - 1 });
  await queue.enqueue("z", { id: "z", runAt: Date.now() + 3_600_000 });
  const [first, again, later] = await telemetry.spansOf("enqueue", 3);
  expect(first!.attributes).toMatchObject({ "holdfast.job.delay": 90.5 });
  expect(first!.attributes).not.toHaveProperty("holdfast.job.deduplicated");
  expect(again!.attributes).toMatchObject({
    "messaging.message.id": "x",
    "holdfast.job.deduplicated": true,
  });
  expect(again!.attributes).not.toHaveProperty("holdfast.job.delay");
  expect(again!.status).toBe("UNSET");
  const delay = later!.attributes["holdfast.job.delay"] as number;
  expect(delay).toBeGreaterThan(3_500);
  expect(delay).toBeLessThanOrEqual(3_600);
});

test("a batch: a span for each creation, and one that sends them", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  const ids = ["a", "b", "c"];
  const caller = await withinSpan(telemetry, async (span) => {
    await queue.enqueueMany(ids.map((id) => ({ data: id, id })));
    return span.spanContext();
  });
  const [enqueue] = await telemetry.spansOf("enqueue");
  const creates = await telemetry.spansOf("create", 3);
  expect(creates.map(({ attributes }) => attributes["messaging.message.id"])).toEqual(ids);
  for (const create of creates) {
    expect(create).toMatchObject({ kind: "PRODUCER", parentId: caller.spanId, status: "UNSET" });
    expect(create.attributes).toMatchObject(common(queue.name, "create", "create"));
  }
  expect(enqueue).toMatchObject({
    kind: "CLIENT",
    parentId: caller.spanId,
    links: creates.map(({ spanId, attributes }) => ({
      spanId,
      attributes: { "messaging.message.id": attributes["messaging.message.id"] },
    })),
  });
  expect(enqueue!.attributes).toEqual({
    ...common(queue.name, "enqueue", "send"),
    "messaging.batch.message_count": 3,
  });

  await testWorker(queue, () => undefined);
  const processes = await telemetry.spansOf("process", 3);
  const linkOf = (id: string) =>
    processes.find(({ attributes }) => attributes["messaging.message.id"] === id)?.links[0]?.spanId;
  expect(ids.map(linkOf)).toEqual(creates.map(({ spanId }) => spanId));
});

test.each([
  { why: "the option is off", count: 2, createSpans: false },
  { why: "there are more than a hundred", count: 101, createSpans: true },
])("a batch whose jobs share its span, for $why", async ({ count, createSpans }) => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<number>({ createSpans });
  await queue.enqueueMany(Array.from({ length: count }, (_, data) => ({ data })));
  const [enqueue] = await telemetry.spansOf("enqueue");
  expect(enqueue).toMatchObject({ kind: "PRODUCER", links: [] });
  expect(enqueue!.attributes).toMatchObject({ "messaging.batch.message_count": count });
  await testWorker(queue, () => undefined);
  const processes = await telemetry.spansOf("process", count);
  expect(new Set(processes.map(({ links }) => links[0]?.spanId))).toEqual(
    new Set([enqueue!.spanId]),
  );
  expect(telemetry.spans().filter(({ name }) => name.startsWith("create "))).toEqual([]);
});

test("a claim by hand links to what it claimed, and settles in the caller's trace", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueueMany([
    { data: "a", id: "a" },
    { data: "b", id: "b" },
  ]);
  const creates = await telemetry.spansOf("create", 2);
  const caller = await withinSpan(telemetry, async (span) => {
    const deliveries = await queue.claim({ max: 10 });
    expect(deliveries).toHaveLength(2);
    await deliveries[0]!.ack();
    await deliveries[1]!.nack({ delayMs: 2_000 });
    return span.spanContext();
  });
  const [claim] = await telemetry.spansOf("claim");
  expect(claim).toMatchObject({ kind: "CLIENT", parentId: caller.spanId, status: "UNSET" });
  expect(claim!.attributes).toEqual({
    ...common(queue.name, "claim", "receive"),
    "messaging.batch.message_count": 2,
  });
  expect(claim!.links).toEqual(
    creates.map(({ spanId, attributes }) => ({
      spanId,
      attributes: { "messaging.message.id": attributes["messaging.message.id"] },
    })),
  );
  const [complete] = await telemetry.spansOf("complete");
  const [retry] = await telemetry.spansOf("retry");
  expect(complete).toMatchObject({ parentId: caller.spanId, kind: "CLIENT" });
  expect(retry!.attributes).toEqual({
    ...common(queue.name, "retry", "settle"),
    "messaging.message.id": "b",
    "holdfast.job.retry_delay": 2,
  });
  expect(telemetry.spans().some(({ name }) => name.startsWith("process "))).toBe(false);
});

test("a claim by hand that finds nothing is one span, however often it looked", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  expect(await queue.claim({ waitMs: 50 })).toEqual([]);
  const [claim] = await telemetry.spansOf("claim");
  expect(claim).toMatchObject({ links: [], status: "UNSET" });
  expect(claim!.attributes).toMatchObject({ "messaging.batch.message_count": 0 });
  expect(telemetry.spans()).toHaveLength(1);
});

test("without settle spans there is the process alone", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>({ settleSpans: false });
  await queue.enqueue("x");
  const settled: string[] = [];
  const worker = await testWorker(
    queue,
    ({ attempt }) => {
      if (attempt === 1) throw new Error("once");
    },
    { backoff: fixed({ delayMs: 0 }) },
  );
  const completed = new Promise((resolve) => worker.once("completed", resolve));
  worker.on("retried", () => settled.push("retried"));
  await completed;
  expect(settled).toEqual(["retried"]);
  const names = telemetry.spans().map(({ name }) => name.split(" ")[0]);
  expect(names).toEqual(["enqueue", "process", "process"]);
});

test("the scope names the package, its version and the conventions", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  const scopes: object[] = [];
  const tracerOf = telemetry.tracerProvider.getTracer.bind(telemetry.tracerProvider);
  telemetry.tracerProvider.getTracer = (name, version, options) => {
    scopes.push({ name, version, ...options });
    return tracerOf(name, version, options);
  };
  await queue.enqueue("x");
  await queue.enqueue("y");
  expect(scopes).toEqual([
    {
      name: "holdfast",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      schemaUrl: "https://opentelemetry.io/schemas/1.44.0",
    },
  ]);
});
