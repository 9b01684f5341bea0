/** No span but those that tell something: none while idle, and none of holdfast's own calls to Redis. */
import { context, trace } from "@opentelemetry/api";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { fixed, observeQueue } from "../../src/index.ts";
import { collector, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, testRedisUrl } from "../helpers/redis.ts";
import {
  registerTelemetry,
  testTelemetry,
  unregisteredTelemetry,
  withinSpan,
} from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

test("a worker that looks, keeps its leases and reaps in vain makes no span", async () => {
  const telemetry = testTelemetry();
  const { queue, redis, keys } = testQueue<string>();
  const worker = await testWorker(queue, () => undefined, {
    pollIntervalMs: 20,
    visibilityTimeoutMs: 150,
  });
  const looks = new Set<string>();
  await waitFor(async () => {
    const nextLook = await redis.zscore(keys.waiting, worker.id);
    if (nextLook !== null) looks.add(nextLook);
    return looks.size >= 50;
  });
  expect(telemetry.spans()).toEqual([]);
  expect(await telemetry.points("messaging.client.consumed.messages")).toEqual([]);
  expect(await telemetry.points("messaging.client.operation.duration")).toEqual([]);
});

const connection = testRedisUrl();

/** A span for each command to that server, as instrumentations make them at their most talkative. */
function instrumentRedis(): void {
  const port = Number(new URL(connection).port);
  const { prototype } = Redis;
  const original = prototype.sendCommand;
  prototype.sendCommand = function sendCommand(this: Redis, command, stream) {
    if (this.options.port === port) {
      trace.getTracer("redis").startSpan(`redis ${command.name}`).end();
    }
    return original.call(this, command, stream);
  };
  onTestFinished(() => {
    prototype.sendCommand = original;
  });
}

test.each([{ when: "before" }, { when: "after" }])(
  "what holdfast asks of Redis is in nobody's trace, with an SDK registered $when the worker starts",
  async ({ when }) => {
    instrumentRedis();
    const telemetry = unregisteredTelemetry();
    if (when === "before") registerTelemetry(telemetry);
    const { queue, keys } = testQueue<string>({ connection });
    const own = rawRedis(connection);
    await own.ping(); // connected
    await queue.enqueue("left behind");
    await queue.claim({ visibilityTimeoutMs: 100 }); // for the reaper
    const { worker, seen } = watchedWorker(
      queue,
      async ({ data, attempt, id, fencingToken }) => {
        if (data === "own") await own.ping();
        if (data === "fails" && attempt === 1) throw new Error("once");
        if (data === "long") {
          const deadline = () => own.zscore(keys.processing, `${id}:${fencingToken}`);
          const first = await deadline();
          await waitFor(async () => (await deadline()) !== first); // until it is extended
        }
      },
      { visibilityTimeoutMs: 1_500, backoff: fixed({ delayMs: 1 }), pollIntervalMs: 50 },
    );
    await withinSpan(telemetry, () => worker.start());
    if (when === "after") registerTelemetry(telemetry);
    telemetry.reset();
    await withinSpan(telemetry, async () => {
      await queue.enqueueMany(["own", "fails", "long"].map((data) => ({ data })));
      await queue.enqueue("last");
    });
    await waitFor(() => seen.completed.length === 5);
    await withinSpan(telemetry, () => worker.close());
    const names = telemetry.spans().map(({ name }) => name);
    const ofRedis = names.filter((name) => name.startsWith("redis ") && name !== "redis zscore");
    expect(ofRedis).toEqual(["redis ping"]);
    const ping = telemetry.spans().find(({ name }) => name === "redis ping")!;
    const parent = telemetry.spans().find(({ spanId }) => spanId === ping.parentId)!;
    expect(parent.name).toBe(`process ${queue.name}`);
  },
);

test("what a user asks for is in the user's trace, but not the checks before it", async () => {
  instrumentRedis();
  const telemetry = testTelemetry();
  const { queue, another, redis } = testQueue<string>({ connection });
  await redis.ping(); // the test's own client is connected
  telemetry.reset();
  observeQueue(queue);
  await withinSpan(telemetry, () => telemetry.metrics());
  expect(telemetry.spans().map(({ name }) => name)).toEqual(["request"]);
  telemetry.reset();
  const fresh = another();
  const caller = await withinSpan(telemetry, async (span) => {
    await fresh.stats();
    return span.spanContext();
  });
  const calls = telemetry.spans().filter(({ name }) => name !== "request");
  expect(new Set(calls.map(({ name }) => name))).toEqual(new Set(["redis evalsha"]));
  expect(calls.map(({ parentId }) => parentId)).toEqual([caller.spanId]);
});

test("a claim by hand that waits is one span, and nothing within it", async () => {
  instrumentRedis();
  const telemetry = testTelemetry();
  const { queue, redis } = testQueue<string>({ connection });
  await redis.ping(); // the test's own client is connected
  telemetry.reset();
  const claiming = withinSpan(telemetry, () => queue.claim({ waitMs: 20_000 }));
  await queue.enqueue("x");
  const [delivery] = await claiming;
  await delivery!.ack();
  const names = telemetry.spans().map(({ name }) => name.replace(` ${queue.name}`, ""));
  expect(names.toSorted()).toEqual(["claim", "complete", "enqueue", "request"]);
});

test("a worker that was started within a span keeps its listeners and its jobs out of it", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>({ connection });
  const seen = collector<unknown>(2);
  const worker = await withinSpan(telemetry, () =>
    testWorker(queue, () => undefined, { concurrency: 1 }),
  );
  worker.on("completed", () => {
    seen.add(trace.getSpan(context.active()));
    telemetry.tracerProvider.getTracer("application").startSpan("listener").end();
  });
  await queue.enqueue("a");
  await queue.enqueue("b");
  expect(await seen.full).toEqual([undefined, undefined]);
  const listeners = await telemetry.spansOf("listener", 0);
  expect(listeners.every(({ parentId }) => parentId === undefined)).toBe(true);
  // A listener is not held back from tracing what it does.
  expect(telemetry.spans().filter(({ name }) => name === "listener")).toHaveLength(2);
});
