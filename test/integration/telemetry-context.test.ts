/** A job's creation context: stored with it, and found again at each attempt, whatever happened in between. */
import { context, propagation, trace } from "@opentelemetry/api";
import { SamplingDecision } from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { DeadLetter, fixed, type Handler, type Queue, type TraceMode } from "../../src/index.ts";
import { decodeEnvelope } from "../../src/core/model/envelope.ts";
import { collector, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { startWorkerProcess } from "../helpers/processes/start-worker.ts";
import { testTelemetry, withinSpan } from "../helpers/telemetry.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const now = fixed({ delayMs: 0 });
const remote = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe("each attempt links to the creation", () => {
  test("after failures, after the dead letters, and by way of a claim by hand", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    const { worker, next } = watchedWorker(
      queue,
      () => {
        throw new Error("no");
      },
      { backoff: now, maxAttempts: 3 },
    );
    const dead = next("dead");
    await worker.start();
    await dead;
    await worker.close();
    expect(await queue.dead.redrive({ ids: ["x"] })).toBe(1);
    const [delivery] = await queue.claim();
    await delivery!.nack();
    await testWorker(queue, () => undefined);
    await telemetry.spansOf("complete");
    const [enqueue] = await telemetry.spansOf("enqueue");
    const processes = await telemetry.spansOf("process", 4);
    const [claim] = await telemetry.spansOf("claim");
    for (const span of [...processes, claim!]) {
      expect(span.links.map(({ spanId }) => spanId)).toEqual([enqueue!.spanId]);
    }
    expect(processes.map(({ attributes }) => attributes["holdfast.job.attempt"])).toEqual([
      1, 2, 3, 2,
    ]);
    expect(new Set(processes.map(({ traceId }) => traceId)).size).toBe(4);
  });

  test("after its worker was killed, and another took its lease back", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    const options = { visibilityTimeoutMs: 1_000 };
    const child = startWorkerProcess({ queueName: queue.name, handler: "hold", options });
    await child.tells("started");
    child.signal("SIGKILL");
    await child.ended;
    await testWorker(queue, () => undefined, options);
    const [process] = await telemetry.spansOf("process");
    const [enqueue] = await telemetry.spansOf("enqueue");
    expect(process!.links.map(({ spanId }) => spanId)).toEqual([enqueue!.spanId]);
    expect(process!.attributes).toMatchObject({ "holdfast.job.attempt": 2 });
  });
});

describe("the link is there too", () => {
  const binary = {
    binary: true as const,
    encode: (data: unknown) => Buffer.from(data as string),
    decode: (payload: Uint8Array) => Buffer.from(payload).toString(),
  };
  test.each([
    ["for a codec of bytes", { codec: binary }],
    ["in every shard", { shards: 3 }],
  ])("%s", async (_, options) => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>(options);
    for (const data of ["a", "b", "c", "d"]) await queue.enqueue(data, { id: data });
    await testWorker(queue, () => undefined);
    const processes = await telemetry.spansOf("process", 4);
    const enqueues = await telemetry.spansOf("enqueue", 4);
    const links = processes.map(({ links: [link] }) => link!.spanId);
    expect(links.toSorted()).toEqual(enqueues.map(({ spanId }) => spanId).toSorted());
  });

  test("after a duplicate, to the enqueue that stored the job", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    await queue.enqueue("y", { id: "x" });
    await testWorker(queue, () => undefined);
    const [process] = await telemetry.spansOf("process");
    const [first] = await telemetry.spansOf("enqueue", 2);
    expect(process!.links.map(({ spanId }) => spanId)).toEqual([first!.spanId]);
  });
});

test("a job that enqueues itself again makes a thousand small traces", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<number>();
  const runs = collector<number>(1_000);
  await queue.enqueue(1);
  const worker = await testWorker(queue, async ({ data }) => {
    if (data < 1_000) await queue.enqueue(data + 1);
    runs.add(data);
  });
  await runs.full;
  await telemetry.spansOf("complete", 1_000);
  await worker.close();
  const sizes = new Map<string, number>();
  for (const { traceId } of telemetry.spans()) {
    sizes.set(traceId, (sizes.get(traceId) ?? 0) + 1);
  }
  // The first enqueue is a trace by itself; each run has its process, its enqueue and its settlement.
  expect(sizes.size).toBe(1_001);
  expect(Math.max(...sizes.values())).toBe(3);
  const processes = await telemetry.spansOf("process", 1_000);
  expect(new Set(processes.map(({ links }) => links[0]!.spanId)).size).toBe(1_000);
});

describe("how the traces hang together", () => {
  async function traceOf(
    queue: Queue<string>,
    mode?: TraceMode,
    handler: Handler<string> = () => undefined,
  ) {
    await queue.enqueue("x", mode === undefined ? {} : { trace: mode });
    const { worker, next } = watchedWorker(queue, handler);
    const completed = next("completed");
    await worker.start();
    await completed;
    await worker.close();
  }

  test.each([
    { by: "the queue", ofQueue: "parent", ofJob: undefined },
    { by: "the job", ofQueue: "link", ofJob: "parent" },
  ] as const)("parent, chosen by $by: all in one trace", async ({ ofQueue, ofJob }) => {
    const telemetry = testTelemetry();
    const { queue, another } = testQueue<string>();
    // Whoever runs the job need not know: the choice travels with it.
    await another({ trace: ofQueue }).enqueue("x", ofJob === undefined ? {} : { trace: ofJob });
    await testWorker(queue, () => undefined);
    const [complete] = await telemetry.spansOf("complete");
    const [process] = await telemetry.spansOf("process");
    const [enqueue] = await telemetry.spansOf("enqueue");
    expect(process).toMatchObject({ traceId: enqueue!.traceId, parentId: enqueue!.spanId });
    expect(process!.links.map(({ spanId }) => spanId)).toEqual([enqueue!.spanId]);
    expect(complete).toMatchObject({ traceId: enqueue!.traceId, parentId: process!.spanId });
  });

  test.each([
    { by: "the queue", ofQueue: "none", ofJob: undefined },
    { by: "the job", ofQueue: "link", ofJob: "none" },
  ] as const)("none, chosen by $by: no spans, and metrics all the same", async (modes) => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>({ trace: modes.ofQueue });
    let active: unknown = "not run";
    await traceOf(queue, modes.ofJob, () => {
      active = trace.getActiveSpan();
    });
    await queue.enqueueMany([{ data: "y", trace: "none" }]);
    const [delivery] = await queue.claim();
    await delivery!.ack();
    expect(active).toBeUndefined();
    expect(telemetry.spans().map(({ name }) => name)).toEqual([`claim ${queue.name}`]);
    expect(telemetry.spans()[0]!.links).toEqual([]);
    expect(await telemetry.points("messaging.client.sent.messages")).toMatchObject([{ value: 2 }]);
    expect(await telemetry.points("messaging.process.duration")).toMatchObject([{ value: 1 }]);
  });

  test("link, against the queue's choice", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>({ trace: "parent" });
    await traceOf(queue, "link");
    const [process] = await telemetry.spansOf("process");
    expect(process).toMatchObject({ parentId: undefined });
  });
});

describe("the stored context", () => {
  test("leaves the caller's headers alone", async () => {
    const telemetry = testTelemetry();
    const { queue, redis, keys } = testQueue<string>();
    await queue.enqueue("x", { id: "x", headers: { tenant: "t" } });
    const [enqueue] = await telemetry.spansOf("enqueue");
    const envelope = decodeEnvelope((await redis.hget(keys.jobs, "x"))!);
    expect(envelope.headers).toEqual({ tenant: "t" });
    expect(envelope.traceHeaders).toEqual({
      traceparent: `00-${enqueue!.traceId}-${enqueue!.spanId}-01`,
    });
    const [delivery] = await queue.claim();
    expect(delivery!.headers).toEqual({ tenant: "t" });
  });

  test("of the caller's own making wins, however its name is written", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { headers: { TraceParent: remote } });
    await queue.enqueueMany([{ data: "y", headers: { traceparent: remote } }]);
    await testWorker(queue, () => undefined);
    const processes = await telemetry.spansOf("process", 2);
    expect(processes.map(({ links }) => links[0]?.spanId)).toEqual([
      "b7ad6b7169203331",
      "b7ad6b7169203331",
    ]);
    expect(telemetry.spans().some(({ name }) => name.startsWith("create "))).toBe(false);
  });

  test.each([
    "garbage",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    "x".repeat(5_000),
    "",
  ])("that is malformed starts a fresh trace, and is counted: %.20s", async (traceparent) => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { headers: { traceparent }, trace: "parent" });
    await testWorker(queue, () => undefined);
    const [process] = await telemetry.spansOf("process");
    expect(process).toMatchObject({ parentId: undefined, links: [], status: "UNSET" });
    expect(await telemetry.points("holdfast.job.invalid_contexts")).toMatchObject([{ value: 1 }]);
  });

  test("that is no object of texts is no context, and the job runs", async () => {
    const telemetry = testTelemetry();
    const { queue, redis, keys } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    await redis.hset(keys.jobs, "x", '1abc-0{"t":{"a":1},"c":[1,2]}\n"x"');
    await testWorker(queue, () => undefined);
    const [process] = await telemetry.spansOf("process");
    expect(process).toMatchObject({ parentId: undefined, links: [], status: "UNSET" });
  });

  test("brings baggage to the handler, and what it enqueues", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    const baggage = propagation.createBaggage({ tenant: { value: "acme" } });
    await context.with(propagation.setBaggage(context.active(), baggage), () =>
      queue.enqueue("first"),
    );
    const seen = collector<[string, string | undefined, string | undefined]>(2);
    await testWorker(queue, async ({ data }) => {
      await Promise.resolve();
      if (data === "first") await queue.enqueue("second");
      const tenant = propagation.getActiveBaggage()?.getEntry("tenant")?.value;
      seen.add([data, tenant, trace.getActiveSpan()?.spanContext().spanId]);
    });
    const runs = await seen.full;
    const processes = await telemetry.spansOf("process", 2);
    expect(runs).toEqual([
      ["first", "acme", processes[0]!.spanId],
      ["second", "acme", processes[1]!.spanId],
    ]);
  });

  test("goes with an unsampled creation too", async () => {
    const telemetry = testTelemetry({
      shouldSample: (_context, _traceId, name) => ({
        decision: name.startsWith("enqueue")
          ? SamplingDecision.NOT_RECORD
          : SamplingDecision.RECORD_AND_SAMPLED,
      }),
      toString: () => "all but enqueues",
    });
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    await testWorker(queue, () => undefined);
    const [process] = await telemetry.spansOf("process");
    expect(process!.links).toHaveLength(1);
    expect(telemetry.spans().some(({ name }) => name.startsWith("enqueue "))).toBe(false);
  });
});

test("dead letters are rejected within the trace that failed", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  const caller = await withinSpan(telemetry, async (span) => {
    await queue.enqueue("x", { trace: "parent" });
    return span.spanContext();
  });
  await testWorker(queue, () => {
    throw new DeadLetter("no");
  });
  const [buried] = await telemetry.spansOf("dead_letter");
  expect(buried!.traceId).toBe(caller.traceId);
});
