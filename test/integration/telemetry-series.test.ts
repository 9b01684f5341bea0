/** Which series there are: each metric with its unit and kind, and never one a job. */
import { DataPointType } from "@opentelemetry/sdk-metrics";
import { expect, test } from "vitest";
import { DeadLetter, fixed, observeQueue } from "../../src/index.ts";
import { collector, testQueue, testWorker } from "../helpers/holdfast.ts";
import { failOnLeaks } from "../helpers/leak-check.ts";
import { testTelemetry } from "../helpers/telemetry.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watchedWorker } from "../helpers/watched-worker.ts";

failOnLeaks();

const minuteMs = 60_000;

test("ten thousand jobs, of all outcomes, make no more series than a few", async () => {
  const telemetry = testTelemetry();
  const { queue } = testQueue<number>({ createSpans: false, settleSpans: false, trace: "none" });
  const handler = ({ data, attempt }: { data: number; attempt: number }) => {
    if (data % 10 === 1 && attempt === 1) throw new Error(`failed ${data}`);
    if (data % 10 === 2) throw new DeadLetter(`unwanted ${data}`);
    if (data % 10 === 3 && attempt === 1) {
      throw Object.assign(new Error("x"), { name: `Error${data}` });
    }
  };
  const series = async () =>
    (await telemetry.metrics()).flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes }) => `${descriptor.name} ${JSON.stringify(attributes)}`),
    );
  const run = async (first: number, count: number) => {
    const items = Array.from({ length: count }, (_, index) => ({ data: first + index }));
    await queue.enqueueMany(items);
    const ends = collector<unknown>(count);
    const worker = await testWorker(queue, handler, {
      concurrency: 200,
      backoff: fixed({ delayMs: 0 }),
    });
    worker.on("completed", ends.add);
    worker.on("dead", ends.add);
    await ends.full;
    await worker.close();
  };
  await run(0, 1_100);
  const before = await series();
  await run(1_100, 10_000);
  expect((await series()).toSorted()).toEqual(before.toSorted());
  // A hundred names of errors are told apart, and no more.
  expect(before.length).toBeLessThan(150);
  expect(telemetry.spans()).toEqual([]);
});

test("units, kinds and buckets", async () => {
  const telemetry = testTelemetry();
  const { queue, passTime, redis, keys } = testQueue<string>();
  observeQueue(queue);
  await queue.enqueueMany([{ data: "a" }, { data: "b" }]);
  await queue.claim();
  await passTime(minuteMs);
  await redis.hset(keys.jobs, "c", "garbage");
  await redis.zadd(keys.delayed, 0, "c");
  await queue.enqueue("d", { headers: { traceparent: "00-not-a-trace" } });
  const { worker, seen } = watchedWorker(
    queue,
    async (job) => {
      if (job.data === "d" && job.attempt === 1) {
        await passTime(minuteMs);
        const [taken] = await queue.claim({ waitMs: 10_000 });
        await job.extend().catch(() => undefined);
        await taken!.ack();
      }
    },
    { concurrency: 1 },
  );
  await worker.start();
  await waitFor(() => seen["lease-lost"].length === 1 && seen.completed.length === 2);
  await waitFor(() => seen.dead.length === 1);
  const units = (await telemetry.metrics()).map(({ descriptor, dataPointType }) => [
    descriptor.name,
    `${descriptor.unit} ${DataPointType[dataPointType]}`,
  ]);
  const boundaries = (await telemetry.metrics()).flatMap(({ descriptor, dataPoints }) => {
    const { value } = dataPoints[0]! as { value: { buckets?: { boundaries: number[] } } };
    return value.buckets ? [[descriptor.name, value.buckets.boundaries]] : [];
  });
  const durations = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
  expect(Object.fromEntries(boundaries)).toEqual({
    "messaging.client.operation.duration": durations,
    "messaging.process.duration": durations,
    "holdfast.job.schedule_lag": [
      0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600,
    ],
    "holdfast.job.attempts": [1, 2, 3, 5, 8, 13, 21],
  });
  expect(Object.fromEntries(units)).toEqual({
    "messaging.client.sent.messages": "{message} SUM",
    "messaging.client.consumed.messages": "{message} SUM",
    "messaging.client.operation.duration": "s HISTOGRAM",
    "messaging.process.duration": "s HISTOGRAM",
    "holdfast.job.schedule_lag": "s HISTOGRAM",
    "holdfast.job.attempts": "{attempt} HISTOGRAM",
    "holdfast.job.redeliveries": "{message} SUM",
    "holdfast.job.invalid_contexts": "{message} SUM",
    "holdfast.job.dead_letters": "{message} SUM",
    "holdfast.lease.expirations": "{lease} SUM",
    "holdfast.lease.lost": "{lease} SUM",
    "holdfast.worker.inflight": "{message} SUM",
    "holdfast.queue.depth": "{message} GAUGE",
    "holdfast.queue.oldest_due_age": "s GAUGE",
    "holdfast.redis.clock_offset": "s GAUGE",
  });
});
