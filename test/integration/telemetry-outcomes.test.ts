/** What the spans say of each way in which a delivery or an enqueue can end. */
import { describe, expect, onTestFinished, test } from "vitest";
import {
  DeadLetter,
  fixed,
  type Handler,
  Queue,
  RetryLater,
  type WorkerOptions,
} from "../../src/index.ts";
import { findFreePort } from "../../tools/redis/free-port.ts";
import { startServer } from "../../tools/redis/start-server.ts";
import { gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { rawRedis, uniqueName } from "../helpers/redis.ts";
import { type SeenSpan, type TestTelemetry, testTelemetry } from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";

failOnLeaks();

const minuteMs = 60_000;

/** The first process span, and the settle span within it. */
async function runOnce(
  handler: Handler<string>,
  settle: string,
  options: WorkerOptions = {},
): Promise<{ process: SeenSpan; settled: SeenSpan }> {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueue("x", { id: "x" });
  await testWorker(queue, handler, { backoff: fixed({ delayMs: minuteMs }), ...options });
  const [settled] = await telemetry.spansOf(settle);
  const [process] = await telemetry.spansOf("process");
  expect(settled).toMatchObject({
    kind: "CLIENT",
    traceId: process!.traceId,
    parentId: process!.spanId,
    status: "UNSET",
  });
  return { process: process!, settled: settled! };
}

class QuotaExceeded extends Error {
  override readonly name = "QuotaExceeded";
}

describe("a handler that", () => {
  test("throws, to be retried: its span is an error, the settlement is not", async () => {
    const { process, settled } = await runOnce(() => {
      throw new QuotaExceeded("no quota left");
    }, "retry");
    expect(process).toMatchObject({
      status: "ERROR",
      message: "no quota left",
      events: ["exception"],
    });
    expect(process.attributes).toMatchObject({
      "error.type": "QuotaExceeded",
      "holdfast.job.outcome": "retried",
    });
    expect(settled.attributes).toMatchObject({ "holdfast.job.retry_delay": 60 });
    expect(settled.attributes).not.toHaveProperty("error.type");
  });

  test("throws at its last attempt: dead", async () => {
    const fail = () => Promise.reject(new Error("broken"));
    const { process, settled } = await runOnce(fail, "dead_letter", { maxAttempts: 1 });
    expect(process).toMatchObject({ status: "ERROR", message: "broken", events: ["exception"] });
    expect(process.attributes).toMatchObject({
      "error.type": "Error",
      "holdfast.job.outcome": "dead",
    });
    expect(settled.attributes).toMatchObject({ "messaging.message.id": "x" });
  });

  test("rejects its job: dead, and an error", async () => {
    const { process } = await runOnce(() => {
      throw new DeadLetter("no such customer");
    }, "dead_letter");
    expect(process).toMatchObject({ status: "ERROR", message: "no such customer" });
    expect(process.attributes).toMatchObject({
      "error.type": "DeadLetter",
      "holdfast.job.outcome": "dead",
    });
  });

  test("throws what is no error, or has no plain name", async () => {
    const thrown = Object.assign(new Error("odd"), { name: "no plain name!" });
    const { process } = await runOnce(() => {
      throw thrown;
    }, "retry");
    expect(process.attributes).toMatchObject({ "error.type": "_OTHER" });
  });

  test("asks to run later: released, and no error", async () => {
    const { process, settled } = await runOnce(() => {
      throw new RetryLater({ delayMs: 30_000 });
    }, "release");
    expect(process).toMatchObject({ status: "UNSET", events: ["holdfast.job.released"] });
    expect(process.attributes).toMatchObject({ "holdfast.job.outcome": "released" });
    expect(process.attributes).not.toHaveProperty("error.type");
    expect(settled.attributes).toMatchObject({ "holdfast.job.retry_delay": 30 });
  });

  test("runs out of time: an error of its own kind", async () => {
    const { process } = await runOnce(() => new Promise(() => undefined), "retry", {
      handlerTimeoutMs: 20,
    });
    expect(process).toMatchObject({ status: "ERROR", events: ["exception"] });
    expect(process.attributes).toMatchObject({
      "error.type": "HANDLER_TIMEOUT",
      "holdfast.job.outcome": "retried",
    });
  });
});

test("a worker that closes releases its job: no error", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueueMany([{ data: "x" }, { data: "y" }]);
  const started = gate();
  const run = () => {
    started.resolve();
    return new Promise(() => undefined);
  };
  const worker = await testWorker(queue, run, { concurrency: 1, prefetch: 1 });
  await started.promise;
  await waitFor(() => worker.health().running === 2);
  await worker.close({ timeoutMs: 0 });
  const [process] = await telemetry.spansOf("process");
  expect(process).toMatchObject({ status: "UNSET", events: ["holdfast.job.released"] });
  expect(process!.attributes).toMatchObject({ "holdfast.job.outcome": "released" });
  const releases = await telemetry.spansOf("release", 2);
  const ofRunning = releases.find(({ parentId }) => parentId === process!.spanId);
  const ofWaiting = releases.find(({ parentId }) => parentId === undefined);
  expect(ofRunning).toMatchObject({ status: "UNSET", links: [] });
  // What never ran is a trace of its own, which leads to its creation.
  const created = (await telemetry.spansOf("create", 2)).map(({ spanId }) => spanId);
  expect(created).toContain(ofWaiting!.links[0]?.spanId);
  expect(telemetry.spans().filter(({ name }) => name.startsWith("process "))).toHaveLength(1);

  await testWorker(queue, () => undefined);
  const [, ...later] = await telemetry.spansOf("process", 3);
  const links = later.map(({ links: [link] }) => link!.spanId);
  expect(links.toSorted()).toEqual(created.toSorted());
  expect(later.map(({ attributes }) => attributes["holdfast.job.attempt"])).toEqual([1, 1]);
});

describe("a lease", () => {
  test("that is extended is told once", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    await testWorker(queue, async (job) => {
      await job.extend();
      await job.extend();
    });
    const [process] = await telemetry.spansOf("process");
    expect(process).toMatchObject({ status: "UNSET", events: ["holdfast.lease.extended"] });
  });

  test("that is lost while the handler runs: an event, and no settlement", async () => {
    const telemetry = testTelemetry();
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const loseLease: Handler<string> = async (job) => {
      await passTime(minuteMs);
      const [other] = await queue.claim({ waitMs: 10_000 });
      await expect(job.extend()).rejects.toThrow(/lease/);
      await other!.ack();
      throw new Error("stopped");
    };
    await testWorker(queue, loseLease, { concurrency: 1 });
    const [process] = await telemetry.spansOf("process");
    expect(process).toMatchObject({ status: "UNSET", events: ["holdfast.lease.lost"] });
    expect(process!.attributes).toMatchObject({ "holdfast.job.outcome": "lease_lost" });
    expect(process!.attributes).not.toHaveProperty("error.type");
    expect(telemetry.spans().some(({ name }) => name.startsWith("retry "))).toBe(false);
  });

  test("that is lost unnoticed: the settlement is refused", async () => {
    const telemetry = testTelemetry();
    const { queue, passTime } = testQueue<string>();
    await queue.enqueue("x");
    await testWorker(
      queue,
      async () => {
        await passTime(minuteMs);
        const [other] = await queue.claim({ waitMs: 10_000 });
        await other!.nack({ delayMs: minuteMs });
      },
      { concurrency: 1 },
    );
    const [complete] = await telemetry.spansOf("complete");
    const [process] = await telemetry.spansOf("process");
    expect(process).toMatchObject({ status: "UNSET" });
    expect(complete).toMatchObject({ status: "ERROR", parentId: process!.spanId });
    expect(complete!.attributes).toMatchObject({ "error.type": "lease_lost" });
  });
});

describe("a job that must not run goes to the dead letters in a trace of its own", () => {
  test("its attempts are used up: linked to its creation", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    const [first] = await queue.claim();
    await first!.nack();
    await testWorker(queue, () => undefined, { maxAttempts: 1 });
    const [buried] = await telemetry.spansOf("dead_letter");
    const [enqueue] = await telemetry.spansOf("enqueue");
    expect(buried).toMatchObject({
      parentId: undefined,
      status: "UNSET",
      links: [{ spanId: enqueue!.spanId, attributes: { "messaging.message.id": "x" } }],
    });
    expect(telemetry.spans().some(({ name }) => name.startsWith("process "))).toBe(false);
  });

  test("its envelope is damaged: nothing to link to", async () => {
    const telemetry = testTelemetry();
    const { queue, redis, keys } = testQueue<string>();
    await queue.enqueue("x", { id: "x" });
    await redis.hset(keys.jobs, "x", "garbage");
    await testWorker(queue, () => undefined);
    const [buried] = await telemetry.spansOf("dead_letter");
    expect(buried).toMatchObject({ parentId: undefined, links: [], status: "UNSET" });
    expect(buried!.attributes).toMatchObject({ "messaging.message.id": "x" });
  });
});

describe("an enqueue that is refused is an error", () => {
  async function expectRefusal(telemetry: TestTelemetry, call: Promise<unknown>, type: string) {
    const error = await call.then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error).toMatchObject({ code: type });
    const [enqueue] = await telemetry.spansOf("enqueue");
    expect(enqueue).toMatchObject({ status: "ERROR", message: error!.message });
    expect(enqueue!.attributes).toMatchObject({ "error.type": type });
  }

  test("for an option", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await expectRefusal(telemetry, queue.enqueue("x", { delayMs: -1 }), "INVALID_OPTION");
    telemetry.reset();
    await expectRefusal(telemetry, queue.enqueue("x", null as never), "INVALID_OPTION");
    telemetry.reset();
    const items = [{ data: "x" }, { data: "y", trace: "sideways" as never }];
    await expectRefusal(telemetry, queue.enqueueMany(items), "INVALID_OPTION");
  });

  test("for its payload", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue({ maxPayloadBytes: 10 });
    await expectRefusal(telemetry, queue.enqueue("x".repeat(20)), "PAYLOAD");
  });

  test.each([[null], [undefined], ["a text"], [{ ids: 7 }]])(
    "by a schema that throws %j",
    async (thrown) => {
      const telemetry = testTelemetry();
      const validate = () => Promise.reject(thrown as unknown as Error);
      const schema = { "~standard": { version: 1 as const, vendor: "test", validate } };
      const { queue } = testQueue({ schema });
      await expect(queue.enqueue("x")).rejects.toBe(thrown);
      const [enqueue] = await telemetry.spansOf("enqueue");
      expect(enqueue).toMatchObject({ status: "ERROR" });
      expect(enqueue!.attributes).toMatchObject({ "error.type": "_OTHER" });
      expect(await telemetry.points("messaging.client.sent.messages")).toEqual([]);
    },
  );

  test("by a full Redis", async () => {
    const server = await startServer();
    onTestFinished(() => server.stop());
    const telemetry = testTelemetry();
    const queue = new Queue<string>(uniqueName("full"), { connection: server.url });
    onTestFinished(() => queue.close());
    await rawRedis(server.url).config("SET", "maxmemory", "1");
    await expectRefusal(telemetry, queue.enqueue("x"), "QUEUE_FULL");
  });

  test("by nobody: there is no Redis", async () => {
    const telemetry = testTelemetry();
    const connection = `redis://127.0.0.1:${await findFreePort()}`;
    const queue = new Queue<string>("nowhere", { connection, enqueueTimeoutMs: 50 });
    onTestFinished(() => queue.close());
    await expectRefusal(telemetry, queue.enqueue("x"), "ENQUEUE_UNCONFIRMED");
    const signal = AbortSignal.abort();
    await expect(queue.claim({ signal })).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    const [claim] = await telemetry.spansOf("claim");
    expect(claim).toMatchObject({ status: "ERROR" });
    expect(claim!.attributes).toMatchObject({ "error.type": "REDIS_UNAVAILABLE" });
  });
});
