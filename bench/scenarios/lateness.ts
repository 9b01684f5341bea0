import type { BenchProcess } from "../support/bench-process.ts";
import type { BenchQueue } from "../support/bench-queue.ts";
import { type Measurement, repeat, type Scenario } from "../support/scenario.ts";
import { percentile } from "../support/statistics.ts";

const jobsPerSecond = 1_000;
const concurrency = 50;
const warmUpJobs = 2_000;
const leadMs = 2_000;
const aheadMs = 1_000;
const limitMs = 5;

const ways = [
  { label: "enqueued beforehand", spread: { leadMs } },
  { label: "enqueued 1 s ahead", spread: { leadMs, aheadMs } },
] as const;

export const lateness: Scenario = {
  name: "lateness",
  description: `start of the handler minus due time, ${jobsPerSecond} delayed jobs a second, concurrency ${concurrency}`,
  target: `p99 at most ${limitMs} ms`,
  timeLimitMs: 600_000,
  run: (context) =>
    repeat(context, async (progress) => {
      const jobs = jobsPerSecond * (context.isQuick ? 3 : 10);
      const measurements: Measurement[] = [];
      for (const { label, spread } of ways) {
        progress(`${label}, ${jobs} jobs`);
        const samples = await context.withQueue((queue) => measureSpread(queue, jobs, spread));
        measurements.push(...distribution(label, samples));
      }
      return measurements;
    }),
};

async function measureSpread(
  queue: BenchQueue,
  jobs: number,
  spread: { leadMs: number; aheadMs?: number },
): Promise<number[]> {
  const worker = await queue.startWorker({ handler: "note-lateness", options: { concurrency } });
  const producer = await queue.startProducer();
  await warmUp(producer, worker);
  const everyMs = 1_000 / jobsPerSecond;
  const { leftMs } = await producer.ask<{ leftMs: number }>("enqueueSpread", {
    jobs,
    everyMs,
    ...spread,
  });
  const inTimeMs = spread.aheadMs === undefined ? (jobs - 1) * everyMs : 0;
  if (leftMs < inTimeMs) {
    throw new Error("the producer was too slow: jobs were due before they were enqueued");
  }
  const samples = await worker.ask<number[]>("untilAcknowledged", {
    total: warmUpJobs + jobs,
    notesFrom: warmUpJobs,
  });
  if (samples.length !== jobs) {
    throw new Error(`${jobs} jobs were enqueued, ${samples.length} ran`);
  }
  return samples;
}

async function warmUp(producer: BenchProcess, worker: BenchProcess): Promise<void> {
  await producer.ask("load", { jobs: warmUpJobs });
  await worker.ask("untilAcknowledged", { total: warmUpJobs });
}

function distribution(label: string, samples: readonly number[]): Measurement[] {
  const shares = { p50: 0.5, p90: 0.9, p99: 0.99, "p99.9": 0.999, max: 1 };
  return Object.entries(shares).map(([name, share]) => ({
    metric: `${label}: ${name}`,
    unit: "ms",
    value: percentile(samples, share),
    atMost: name === "p99" ? limitMs : undefined,
  }));
}
