import type { BenchQueue } from "../support/bench-queue.ts";
import type { BenchServer } from "../support/bench-server.ts";
import { repeat, type Scenario } from "../support/scenario.ts";

const concurrency = 100;
const warmUpJobs = 2_000;
const togetherSize = 1_000;

export const lifeCycle: Scenario = {
  name: "life-cycle",
  description: `server CPU of a job from enqueue through claim to ack, concurrency ${concurrency}`,
  timeLimitMs: 600_000,
  run: (context) =>
    repeat(context, async () => {
      const jobs = context.isQuick ? 20_000 : 200_000;
      const { enqueued, worked } = await context.withQueue((queue) =>
        measureLifeCycle(context.server, queue, jobs),
      );
      const unit = "µs/job";
      return [
        { metric: "enqueue, 1,000 together", unit, value: enqueued / jobs },
        { metric: "claim and ack", unit, value: worked / jobs },
        {
          metric: "whole life",
          unit,
          value: (enqueued + worked) / jobs,
          mark: "9.8 (prototype), 7.5 (bare commands)",
        },
      ];
    }),
};

async function measureLifeCycle(
  server: BenchServer,
  queue: BenchQueue,
  jobs: number,
): Promise<{ enqueued: number; worked: number }> {
  const worker = await queue.startWorker({ handler: "no-op", options: { concurrency } });
  const producer = await queue.startProducer();
  await producer.ask("enqueueTogether", { jobs: warmUpJobs, size: togetherSize });
  await worker.ask("untilAcknowledged", { total: warmUpJobs });
  await worker.ask("pause");
  const atStart = await server.cpuMicroseconds();
  await producer.ask("enqueueTogether", { jobs, size: togetherSize });
  const afterEnqueue = await server.cpuMicroseconds();
  await worker.ask("run", { jobs });
  const atEnd = await server.cpuMicroseconds();
  return { enqueued: afterEnqueue - atStart, worked: atEnd - afterEnqueue };
}
