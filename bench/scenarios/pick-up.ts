import { setTimeout as sleep } from "node:timers/promises";
import type { BenchProcess } from "../support/bench-process.ts";
import { repeat, type Scenario } from "../support/scenario.ts";
import { percentile } from "../support/statistics.ts";

const warmUpJobs = 200;
const minGapMs = 5;
const maxGapMs = 20;
const limitMs = 1.5;

export const pickUp: Scenario = {
  name: "pick-up",
  description: "from the call of enqueue to the start of the handler, on an idle queue",
  target: `p50 at most ${limitMs} ms`,
  timeLimitMs: 600_000,
  run: (context) =>
    repeat(context, async () => {
      const jobs = context.isQuick ? 200 : 500;
      const samples = await context.withQueue(async (queue) => {
        const worker = await queue.startWorker({ handler: "note-start", options: {} });
        const producer = await queue.startProducer();
        return measurePickUps(producer, worker, jobs);
      });
      return [
        { metric: "p50", unit: "ms", value: percentile(samples, 0.5), atMost: limitMs },
        { metric: "p99", unit: "ms", value: percentile(samples, 0.99) },
        { metric: "max", unit: "ms", value: percentile(samples, 1) },
      ];
    }),
};

async function measurePickUps(
  producer: BenchProcess,
  worker: BenchProcess,
  jobs: number,
): Promise<number[]> {
  const samples: number[] = [];
  for (let job = 1; job <= warmUpJobs + jobs; job += 1) {
    // The worker was told to sleep until the next wake-up when the last job was acknowledged.
    await sleep(minGapMs + Math.random() * (maxGapMs - minGapMs));
    const started = worker.ask<number[]>("untilAcknowledged", { total: job, notesFrom: job - 1 });
    const [calledAtMs, [startedAtMs]] = await Promise.all([
      producer.ask<number>("enqueueOne"),
      started,
    ]);
    if (startedAtMs === undefined) {
      throw new Error("the worker noted no start");
    }
    if (job > warmUpJobs) {
      samples.push(startedAtMs - calledAtMs);
    }
  }
  return samples;
}
