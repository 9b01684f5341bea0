import { setTimeout as sleep } from "node:timers/promises";
import type { BenchQueue } from "../support/bench-queue.ts";
import { type Measurement, repeat, type Scenario } from "../support/scenario.ts";

const heldJobs = 50;
const shortTimeoutMs = 2_000;
const defaultTimeoutMs = 30_000;
const allowanceMs = 1_000;

export const recovery: Scenario = {
  name: "recovery",
  description: `from the SIGKILL of a worker to the second delivery of the last of its ${heldJobs} jobs`,
  target: `at most the visibility timeout and ${allowanceMs} ms`,
  timeLimitMs: 1_200_000,
  run: (context) =>
    repeat(context, async (progress) => {
      const timeouts = context.isQuick ? [shortTimeoutMs] : [shortTimeoutMs, defaultTimeoutMs];
      const measurements: Measurement[] = [];
      for (const visibilityTimeoutMs of timeouts) {
        progress(`visibility timeout ${visibilityTimeoutMs} ms`);
        measurements.push({
          metric: `visibility timeout ${visibilityTimeoutMs.toLocaleString("en-US")} ms`,
          unit: "ms",
          value: await context.withQueue((queue) => measureRecovery(queue, visibilityTimeoutMs)),
          atMost: visibilityTimeoutMs + allowanceMs,
        });
      }
      return measurements;
    }),
};

async function measureRecovery(queue: BenchQueue, visibilityTimeoutMs: number): Promise<number> {
  const options = { concurrency: heldJobs, visibilityTimeoutMs };
  const victim = await queue.startWorker({ handler: "hold", options });
  await queue.load({ jobs: heldJobs });
  await victim.ask("untilStarted", { total: heldJobs });
  const heir = await queue.startWorker({ handler: "note-start", options });
  // Leases are extended at a third of the timeout: so the kill comes at any point between two extensions.
  await sleep((Math.random() * visibilityTimeoutMs) / 3);
  const early = await heir.ask<number>("startedJobs");
  if (early > 0) {
    throw new Error(`${early} jobs ran elsewhere while their worker was alive`);
  }
  const killedAtMs = Number(process.hrtime.bigint()) / 1e6;
  await victim.kill();
  const startsMs = await heir.ask<number[]>(
    "untilAcknowledged",
    { total: heldJobs, notesFrom: 0 },
    2 * visibilityTimeoutMs + 30_000,
  );
  return Math.max(...startsMs) - killedAtMs;
}
