/** The metrics: each with its unit, values and attributes, and never a series a job. */
import { DataPointType } from "@opentelemetry/sdk-metrics";
import { describe, expect, test } from "vitest";
import { DeadLetter, fixed, type Handler } from "../../src/index.ts";
import { collector, gate, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testClusterNodes, testRedisUrl } from "../helpers/redis.ts";
import { type SeenPoint, type TestTelemetry, testTelemetry } from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const minuteMs = 60_000;
const at = (queueName: string) => ({
  "messaging.system": "holdfast",
  "messaging.destination.name": queueName,
});

function withServer(queueName: string, more: object): object {
  const { hostname, port } = new URL(testRedisUrl());
  const server = { "server.address": hostname, "server.port": Number(port) };
  return { ...at(queueName), ...(testClusterNodes().length === 0 && server), ...more };
}

async function untilPoint(
  telemetry: TestTelemetry,
  name: string,
  isIt: (point: SeenPoint) => boolean = () => true,
): Promise<void> {
  await waitFor(async () => (await telemetry.points(name)).some(isIt), { what: `a point ${name}` });
}

test("a life with a failure: what is sent, claimed, run, settled", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueueMany([{ data: "a" }, { data: "b" }]);
  await queue.enqueue("c", { maxAttempts: 1 });
  await expect(queue.enqueue("d", { delayMs: -1 })).rejects.toThrow("delayMs");
  const ends = collector<unknown>(3);
  const worker = await testWorker(
    queue,
    ({ data, attempt }) => {
      if (data === "c" || (data === "b" && attempt === 1)) throw new TypeError("broken");
    },
    { backoff: fixed({ delayMs: 1 }) },
  );
  worker.on("completed", ends.add);
  worker.on("dead", ends.add);
  await ends.full;
  const { name } = queue;

  expect(await telemetry.points("messaging.client.sent.messages")).toEqual([
    { attributes: withServer(name, { "messaging.operation.name": "enqueue" }), value: 3 },
  ]);
  expect(await telemetry.points("messaging.client.consumed.messages")).toEqual([
    { attributes: withServer(name, { "messaging.operation.name": "claim" }), value: 4 },
  ]);
  const processed = { "messaging.operation.name": "process" };
  expect(await telemetry.points("messaging.process.duration")).toEqual(
    expect.arrayContaining([
      { attributes: withServer(name, processed), value: 2 },
      { attributes: withServer(name, { ...processed, "error.type": "TypeError" }), value: 2 },
    ]),
  );
  const operations = await telemetry.points("messaging.client.operation.duration");
  const countOf = (operation: string, type: string, more: object = {}) => {
    const attributes = withServer(name, {
      "messaging.operation.name": operation,
      "messaging.operation.type": type,
      ...more,
    });
    return operations.find((point) => {
      expect(Object.keys(point.attributes)).not.toContain("messaging.message.id");
      return JSON.stringify(point.attributes) === JSON.stringify(attributes);
    })?.value;
  };
  expect(countOf("enqueue", "send")).toBe(2);
  expect(countOf("enqueue", "send", { "error.type": "INVALID_OPTION" })).toBe(1);
  expect(countOf("complete", "settle")).toBe(2);
  expect(countOf("retry", "settle")).toBe(1);
  expect(countOf("dead_letter", "settle")).toBe(1);
  expect(countOf("claim", "receive")).toBeGreaterThanOrEqual(2);

  const outcome = (end: string) => ({ ...at(name), "holdfast.job.outcome": end });
  expect(await telemetry.points("holdfast.job.attempts")).toEqual(
    expect.arrayContaining([
      { attributes: outcome("completed"), value: 2 },
      { attributes: outcome("dead"), value: 1 },
    ]),
  );
  expect(await telemetry.points("holdfast.job.dead_letters")).toEqual([
    { attributes: { ...at(name), "holdfast.dead_letter.reason": "max_attempts" }, value: 1 },
  ]);
  const reason = (text: string) => ({ ...at(name), "holdfast.job.delivery_reason": text });
  expect(await telemetry.points("holdfast.job.redeliveries")).toEqual([
    { attributes: reason("retry"), value: 1 },
  ]);
  expect(await telemetry.points("holdfast.job.schedule_lag")).toEqual(
    expect.arrayContaining([
      { attributes: reason("first"), value: 3 },
      { attributes: reason("retry"), value: 1 },
    ]),
  );
  expect(await telemetry.points("holdfast.worker.inflight")).toEqual([
    { attributes: at(name), value: 0 },
  ]);
});

test("schedule lag is by Redis's clock, in seconds", async () => {
  const telemetry = testTelemetry();
  const { queue, passTime } = testQueue<string>();
  await queue.enqueue("x", { delayMs: 1_000 });
  await passTime(121_000);
  await testWorker(queue, () => undefined);
  await untilPoint(telemetry, "holdfast.job.schedule_lag");
  const lag = (await telemetry.metrics()).find(
    ({ descriptor }) => descriptor.name === "holdfast.job.schedule_lag",
  );
  expect(lag?.dataPointType).toBe(DataPointType.HISTOGRAM);
  const { sum } = lag!.dataPoints[0]!.value as { sum: number };
  expect(sum).toBeGreaterThanOrEqual(120);
  expect(sum).toBeLessThan(180);
});

test("handlers that run are counted while they do", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<string>();
  await queue.enqueueMany([{ data: "a" }, { data: "b" }]);
  const go = gate();
  const worker = await testWorker(queue, () => go.promise);
  await untilPoint(telemetry, "holdfast.worker.inflight", ({ value }) => value === 2);
  go.resolve();
  await untilPoint(telemetry, "holdfast.worker.inflight", ({ value }) => value === 0);
  await worker.close();
});

describe("what goes wrong is counted by its reason", () => {
  test.each(["a claim by hand", "a worker's look"])("%s that Redis refuses", async (what) => {
    const telemetry = testTelemetry();
    const { queue, redis, keys } = testQueue<string>();
    const { worker, next } = watchedWorker(queue, () => undefined, { pollIntervalMs: 20 });
    const refuse = () => redis.set(keys.delayed, "no sorted set");
    if (what === "a claim by hand") {
      await refuse();
      await expect(queue.claim()).rejects.toThrow("hold other types");
    } else {
      await worker.start();
      const told = next("error");
      await refuse();
      await told;
    }
    const points = await telemetry.points("messaging.client.operation.duration");
    expect(points).toHaveLength(1);
    const claim = { "messaging.operation.name": "claim", "messaging.operation.type": "receive" };
    expect(points[0]!.attributes).toEqual(
      withServer(queue.name, { ...claim, "error.type": expect.stringMatching(/^[A-Z_]+$/) }),
    );
    expect(await telemetry.points("messaging.client.consumed.messages")).toEqual([]);
  });

  test.each([
    { reason: "rejected", handler: () => Promise.reject(new DeadLetter("no")), maxAttempts: 9 },
    { reason: "max_attempts", handler: () => Promise.reject(new Error("no")), maxAttempts: 1 },
  ])("dead letters: $reason", async ({ reason, handler, maxAttempts }) => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    await testWorker(queue, handler, { maxAttempts });
    await untilPoint(telemetry, "holdfast.job.dead_letters");
    expect(await telemetry.points("holdfast.job.dead_letters")).toEqual([
      { attributes: { ...at(queue.name), "holdfast.dead_letter.reason": reason }, value: 1 },
    ]);
  });

  test("dead letters: undecodable, lease_expired, and rejected by hand", async () => {
    const telemetry = testTelemetry();
    const { queue, redis, keys, passTime } = testQueue<string>();
    await queue.enqueueMany([
      { data: "x", id: "damaged" },
      { data: "x", id: "expired" },
    ]);
    await redis.hset(keys.jobs, "damaged", "garbage");
    expect(await queue.claim({ max: 1, maxAttempts: 1 })).toHaveLength(0);
    expect(await queue.claim({ max: 1, maxAttempts: 1 })).toHaveLength(1);
    await passTime(minuteMs);
    expect(await queue.claim({ max: 2, maxAttempts: 1 })).toHaveLength(0);
    await queue.enqueue("x");
    const [delivery] = await queue.claim();
    await delivery!.bury("not wanted");
    const reasons = (await telemetry.points("holdfast.job.dead_letters")).map(
      ({ attributes, value }) => [attributes["holdfast.dead_letter.reason"], value],
    );
    expect(Object.fromEntries(reasons)).toEqual({
      undecodable: 1,
      lease_expired: 1,
      rejected: 1,
    });
    expect(await telemetry.points("holdfast.lease.expirations")).toEqual([
      { attributes: { ...at(queue.name), "holdfast.lease.outcome": "requeued" }, value: 1 },
    ]);
  });

  test("dead letters: max_attempts where failures by hand used up a claimer's limit", async () => {
    const telemetry = testTelemetry();
    const { queue } = testQueue<string>();
    await queue.enqueue("x");
    const [delivery] = await queue.claim();
    await delivery!.nack({ error: new Error("no") });
    expect(await queue.claim({ maxAttempts: 1 })).toHaveLength(0);
    expect(await telemetry.points("holdfast.job.dead_letters")).toEqual([
      {
        attributes: { ...at(queue.name), "holdfast.dead_letter.reason": "max_attempts" },
        value: 1,
      },
    ]);
  });

  test("leases that were lost: at an extension, and at a settlement", async () => {
    const telemetry = testTelemetry();
    const { queue, another, passTime } = testQueue<string>();
    const other = another();
    await queue.enqueue("x");
    const [first] = await queue.claim();
    await passTime(minuteMs);
    const [second] = await other.claim({ waitMs: 10_000 });
    expect(await first!.ack()).toBe("stale");
    await second!.ack();
    const lost = await telemetry.points("holdfast.lease.lost");
    expect(lost).toEqual([
      { attributes: { ...at(queue.name), "messaging.operation.name": "complete" }, value: 1 },
    ]);
    await queue.enqueue("y");
    const loseLease: Handler<string> = async (job) => {
      await passTime(minuteMs);
      const [taken] = await other.claim({ waitMs: 10_000 });
      await job.extend().catch(() => undefined);
      await taken!.ack();
    };
    const { worker, next } = watchedWorker(queue, loseLease, { concurrency: 1 });
    const leaseLost = next("lease-lost");
    await worker.start();
    await leaseLost;
    expect(await telemetry.points("holdfast.lease.lost")).toContainEqual({
      attributes: { ...at(queue.name), "messaging.operation.name": "extend" },
      value: 1,
    });
    expect(await telemetry.points("holdfast.job.attempts")).toHaveLength(1);
  });

  test("a lease of a claim by hand that is lost counts once; what was settled before is not lost", async () => {
    const telemetry = testTelemetry();
    const { queue, another, passTime } = testQueue<string>();
    await queue.enqueue("x");
    const [first] = await queue.claim();
    await passTime(minuteMs);
    const [second] = await another().claim({ waitMs: 10_000 });
    await expect(first!.extend()).rejects.toThrow("lease");
    expect(await first!.ack()).toBe("stale");
    expect(await second!.ack()).toBe("done");
    await expect(second!.extend()).rejects.toThrow("lease");
    expect(await second!.ack()).toBe("gone");
    expect(await telemetry.points("holdfast.lease.lost")).toEqual([
      { attributes: { ...at(queue.name), "messaging.operation.name": "extend" }, value: 1 },
    ]);
    expect(await telemetry.spansOf("complete", 2)).toHaveLength(2);
  });

  test("a worker that gives expired leases back counts them", async () => {
    const telemetry = testTelemetry();
    const { queue, passTime } = testQueue<string>();
    await queue.enqueueMany([{ data: "a" }, { data: "b" }]);
    expect(await queue.claim({ max: 2 })).toHaveLength(2);
    await passTime(minuteMs);
    await testWorker(queue, () => undefined);
    const all = (point: SeenPoint) => point.value === 2;
    await untilPoint(telemetry, "holdfast.lease.expirations", all);
    await untilPoint(telemetry, "holdfast.job.redeliveries", all);
  });
});
