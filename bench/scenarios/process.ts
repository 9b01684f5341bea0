import type { BenchQueue, RunResult } from "../support/bench-queue.ts";
import type { BenchServer } from "../support/bench-server.ts";
import { type Measurement, repeat, type Scenario } from "../support/scenario.ts";
import { throughput, type ThroughputResult, withServerCpu } from "../support/throughput.ts";

const warmUpJobs = 2_000;
const quickShare = 0.1;

const loads: readonly { concurrency: number; jobs: number; mark?: string }[] = [
  { concurrency: 1, jobs: 20_000 },
  { concurrency: 10, jobs: 50_000 },
  { concurrency: 100, jobs: 200_000, mark: "64,000–76,000 (prototype)" },
  { concurrency: 1_000, jobs: 200_000 },
];

export const processJobs: Scenario = {
  name: "process",
  description: "jobs that do nothing, enqueued beforehand, in one worker process",
  timeLimitMs: 1_200_000,
  run: (context) =>
    repeat(context, async (progress) => {
      const measurements: Measurement[] = [];
      for (const { concurrency, jobs: fullJobs, mark } of loads) {
        const jobs = fullJobs * (context.isQuick ? quickShare : 1);
        progress(`concurrency ${concurrency}, ${jobs} jobs`);
        const result = await context.withQueue((queue) =>
          measureWork(context.server, queue, concurrency, jobs),
        );
        const label = `concurrency ${concurrency.toLocaleString("en-US")}`;
        measurements.push(...throughput({ label, client: "worker", mark }, jobs, result));
      }
      return measurements;
    }),
};

/** The queue is paused while it is filled, so that a warm worker starts on all of it at once. */
async function measureWork(
  server: BenchServer,
  queue: BenchQueue,
  concurrency: number,
  jobs: number,
): Promise<ThroughputResult> {
  const worker = await queue.startWorker({ handler: "no-op", options: { concurrency } });
  await queue.load({ jobs: warmUpJobs });
  await worker.ask("untilAcknowledged", { total: warmUpJobs });
  await worker.ask("pause");
  await queue.load({ jobs });
  return withServerCpu(server, () => worker.ask<RunResult>("run", { jobs }));
}
