import type { BenchQueue, RunResult } from "../support/bench-queue.ts";
import type { BenchServer } from "../support/bench-server.ts";
import { type Measurement, repeat, type Scenario } from "../support/scenario.ts";
import { throughput, type ThroughputResult, withServerCpu } from "../support/throughput.ts";

const delayMs = 60 * 60 * 1_000;
const quickShare = 0.1;
const warmUpJobs = 5_000;
const togetherSize = 1_000;

const ways: readonly { label: string; request: string; jobs: number; mark?: string }[] = [
  { label: "one by one", request: "enqueueOneByOne", jobs: 10_000 },
  {
    label: "1,000 together",
    request: "enqueueTogether",
    jobs: 200_000,
    mark: "107,000–156,000 (prototype)",
  },
  { label: "enqueueMany of 10,000", request: "enqueueMany", jobs: 200_000 },
];

export const enqueue: Scenario = {
  name: "enqueue",
  description: "delayed jobs from one producer process: awaited singly, together, and in bulk",
  timeLimitMs: 600_000,
  run: (context) =>
    repeat(context, async (progress) => {
      const measurements: Measurement[] = [];
      for (const { label, request, jobs: fullJobs, mark } of ways) {
        const jobs = fullJobs * (context.isQuick ? quickShare : 1);
        progress(`${label}, ${jobs} jobs`);
        const result = await context.withQueue((queue) =>
          measureEnqueue(context.server, queue, request, jobs),
        );
        measurements.push(...throughput({ label, client: "producer", mark }, jobs, result));
      }
      return measurements;
    }),
};

async function measureEnqueue(
  server: BenchServer,
  queue: BenchQueue,
  request: string,
  jobs: number,
): Promise<ThroughputResult> {
  const producer = await queue.startProducer();
  const argument = { size: togetherSize, delayMs };
  await producer.ask(request, { ...argument, jobs: warmUpJobs });
  return withServerCpu(server, () => producer.ask<RunResult>(request, { ...argument, jobs }));
}
