/** Whatever fails in telemetry, jobs do not: they are stored, run once and settled. */
import {
  type ContextManager,
  context,
  diag,
  DiagLogLevel,
  propagation,
  ROOT_CONTEXT,
} from "@opentelemetry/api";
import { describe, expect, onTestFinished, test } from "vitest";
import { DeadLetter, fixed, observeQueue, type QueueOptions } from "../../src/index.ts";
import { collector, testQueue } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testTelemetry } from "../helpers/telemetry.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

function fail(): never {
  throw new Error("telemetry is broken");
}

/** An object whose every method, and theirs, throws. */
const broken = (except: Record<string, unknown> = {}): never =>
  new Proxy({}, { get: (_, name) => except[String(name)] ?? fail }) as never;

/** All ways of a job, each as it would go without telemetry. */
async function expectJobsToRun(options: QueueOptions<string> = {}): Promise<void> {
  const { queue } = testQueue<string>(options);
  using _observer = observeQueue(queue);
  await queue.enqueue("ok", { headers: { traceparent: "x", tenant: "t" } });
  await queue.enqueueMany([
    { data: "fails" },
    { data: "dies" },
    { data: "parent", trace: "parent" },
  ]);
  await expect(queue.enqueue("refused", { delayMs: -1 })).rejects.toMatchObject({
    code: "INVALID_OPTION",
  });
  const runs: string[] = [];
  const ends = collector<unknown>(4);
  const { worker, seen } = watchedWorker(
    queue,
    async (job) => {
      runs.push(`${job.data} ${job.attempt}`);
      await job.extend();
      if (job.data === "fails" && job.attempt === 1) throw new Error("once");
      if (job.data === "dies") throw new DeadLetter("no");
    },
    { backoff: fixed({ delayMs: 0 }) },
  );
  worker.on("completed", ends.add);
  worker.on("dead", ends.add);
  await worker.start();
  await ends.full;
  await worker.close();
  expect(runs.toSorted()).toEqual(["dies 1", "fails 1", "fails 2", "ok 1", "parent 1"]);
  expect(seen.error).toEqual([]);
  await queue.enqueue("by hand");
  const [delivery] = await queue.claim();
  expect(await delivery!.ack()).toBe("done");
  const { totals, dead } = await queue.stats();
  expect(totals).toMatchObject({ enqueued: 5, completed: 4, retried: 1, buried: 1 });
  expect(dead).toBe(1);
}

// First, for what has failed before is not told again at once.
test("a logger of the API's own, which is told of each failure once", async () => {
  testTelemetry();
  propagation.disable();
  propagation.setGlobalPropagator({ inject: fail, extract: fail, fields: fail });
  const told: string[] = [];
  const error = (message: string) => {
    told.push(message);
    fail();
  };
  const logger = { error, warn: fail, info: fail, debug: fail, verbose: fail };
  diag.setLogger(logger, { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
  onTestFinished(() => diag.disable());
  await expectJobsToRun();
  expect(told.toSorted()).toEqual(
    ["the propagator's extract", "the propagator's fields", "the propagator's inject"].map(
      (what) => `holdfast: ${what} failed: Error: telemetry is broken`,
    ),
  );
});

test("a tracer provider", async () => {
  await expectJobsToRun({ tracerProvider: { getTracer: fail } });
});

test("a tracer", async () => {
  await expectJobsToRun({ tracerProvider: { getTracer: () => broken() } });
});

test("spans", async () => {
  const tracer = { startSpan: () => broken(), startActiveSpan: fail };
  testTelemetry();
  await expectJobsToRun({ tracerProvider: { getTracer: () => tracer as never } });
});

test("a tracer without spans", async () => {
  const tracer = { startSpan: () => undefined, startActiveSpan: fail };
  await expectJobsToRun({ tracerProvider: { getTracer: () => tracer as never } });
});

test("a meter provider, a meter, its instruments", async () => {
  await expectJobsToRun({ meterProvider: { getMeter: fail } });
  await expectJobsToRun({ meterProvider: { getMeter: () => broken() } });
  const meter = broken({
    createCounter: () => broken(),
    createHistogram: () => broken(),
    createUpDownCounter: () => broken(),
    createGauge: () => broken(),
  });
  await expectJobsToRun({ meterProvider: { getMeter: () => meter } });
});

test("a propagator", async () => {
  testTelemetry();
  propagation.disable();
  propagation.setGlobalPropagator(broken());
  await expectJobsToRun();
});

test.each<[string, object]>([
  ["fields that are no list", { fields: () => new Set(["traceparent"]) }],
  ["fields that are no text", { fields: () => [7] }],
  ["a context that is none", { extract: () => ({}), fields: () => ["traceparent"] }],
  ["nothing at all", { extract: () => undefined, fields: () => undefined }],
])("a propagator that answers %s", async (_, odd) => {
  testTelemetry();
  propagation.disable();
  const inject = (
    _context: unknown,
    carrier: object,
    setter: { set: (...args: unknown[]) => void },
  ) => setter.set(carrier, "traceparent", "x");
  const extract = (found: unknown) => found;
  propagation.setGlobalPropagator({ inject, extract, ...odd } as never);
  await expectJobsToRun();
});

describe("a context manager that throws", () => {
  type With = (context: unknown, call: () => unknown) => unknown;

  test.each<[string, With]>([
    ["at once", fail],
    [
      "after it has run what it was given",
      (_, call) => {
        call();
        fail();
      },
    ],
    [
      "never, but runs it later",
      (_, call) => {
        setImmediate(call);
      },
    ],
    [
      "never, but runs it twice",
      (_, call) => {
        call();
        return call();
      },
    ],
  ])("%s", async (how, run) => {
    testTelemetry();
    context.disable();
    const active = () => {
      if (how === "at once") fail();
      return how.endsWith("later") ? ({} as never) : ROOT_CONTEXT;
    };
    const manager = { active, with: run, bind: fail, enable: fail, disable: () => manager };
    context.setGlobalContextManager(manager as ContextManager);
    await expectJobsToRun();
  });
});
