import { setTimeout as sleep } from "node:timers/promises";
import type { BenchProcess } from "../support/bench-process.ts";
import type { BenchQueue } from "../support/bench-queue.ts";
import type { BenchServer } from "../support/bench-server.ts";
import {
  type BenchPeer,
  Figures,
  interleave,
  type Scenario,
  type ScenarioContext,
} from "../support/scenario.ts";
import { addCommands, cpuUnit, seenDuring } from "../support/work.ts";
import { untilAcknowledged, type WorkerProgress } from "../support/worker-progress.ts";

const concurrency = 100;
const row = `concurrency ${concurrency}`;
/** Commands are counted for a shorter time, for MONITOR shows hundreds of thousands a second. */
const countedMs = 300;
const full = { settleMs: 2_000, windowMs: 30_000 };
const quick = { settleMs: 500, windowMs: 1_500 };
const creditEveryMs = 10;
/** Enough that neither side ever waits for news of the other. */
const ahead = 5_000;
/** For the producer's last calls, under MONITOR as well. */
const slackMs = 10_000;

export const lifeCycle: Scenario = {
  name: "life-cycle",
  description: "one process enqueues and another works at the same time, in steady state",
  peers: ["holdfast", "bullmq", "bee-queue", "floor"],
  targets: [
    { row, metric: "server CPU a job", against: { peer: "bullmq" }, atMost: 1 / 7 },
    { row, metric: "server CPU a job", against: { peer: "floor" }, atMost: 1.3 },
  ],
  timeLimitMs: 2_400_000,
  run: async (context) => {
    const figures = new Figures();
    const times = context.isQuick ? quick : full;
    await interleave(context, `${times.windowMs / 1_000} s`, async (peer, round) => {
      const { jobs, ...used } = await measureSteadyState(context, peer, times);
      const facts = { row, peer: peer.name };
      figures.add(
        { ...facts, metric: "jobs a second", unit: "jobs/s" },
        (jobs / used.elapsedMs) * 1_000,
      );
      const perJob = { ...facts, unit: cpuUnit };
      figures.add({ ...perJob, metric: "server CPU a job" }, used.serverCpu / jobs);
      figures.add({ ...perJob, metric: "worker CPU a job" }, used.workerCpu / jobs);
      figures.add({ ...perJob, metric: "producer CPU a job" }, used.producerCpu / jobs);
      if (round === 0) {
        await countCommands(context, figures, peer);
      }
    });
    return figures.all;
  },
};

async function measureSteadyState(
  { server, openQueue }: ScenarioContext,
  peer: BenchPeer,
  { settleMs, windowMs }: { settleMs: number; windowMs: number },
) {
  const { queue, worker, producer } = await openStage(openQueue(peer));
  const production = startProducing(producer, settleMs + windowMs);
  await creditFor(settleMs, producer, worker);
  const before = await takeStock(server, producer, worker);
  await creditFor(windowMs, producer, worker);
  const after = await takeStock(server, producer, worker);
  await producer.ask("stopProducing");
  await untilAcknowledged([worker], await production);
  await queue.remove();
  if (after.jobs === before.jobs) {
    throw new Error(`${peer.name}: no job was done in ${windowMs} ms`);
  }
  return {
    jobs: after.jobs - before.jobs,
    elapsedMs: after.atMs - before.atMs,
    serverCpu: after.serverCpu - before.serverCpu,
    workerCpu: after.workerCpu - before.workerCpu,
    producerCpu: after.producerCpu - before.producerCpu,
  };
}

/** Of all jobs of a shorter run, from the first to the last. */
async function countCommands(
  { server, openQueue }: ScenarioContext,
  figures: Figures,
  peer: BenchPeer,
): Promise<void> {
  const { queue, worker, producer } = await openStage(openQueue(peer));
  let jobs = 0;
  const seen = await seenDuring(server, async () => {
    const production = startProducing(producer, countedMs);
    await creditFor(countedMs, producer, worker);
    await producer.ask("stopProducing");
    jobs = await production;
    await untilAcknowledged([worker], jobs);
  });
  addCommands(figures, { row, peer: peer.name }, { seen, queue, jobs });
  await queue.remove();
}

async function openStage(queue: BenchQueue) {
  const worker = await queue.startWorker({ concurrency });
  return { queue, worker, producer: await queue.startProducer() };
}

/** Resolves with the number of jobs, when it is stopped. */
function startProducing(producer: BenchProcess, durationMs: number): Promise<number> {
  const production = producer.ask<number>("produce", { ahead }, 2 * durationMs + slackMs);
  // Awaited in the end; until then a failure is seen as jobs that do not come.
  production.catch(() => undefined);
  return production;
}

/** Tells the producer how far the worker is, so that the queue neither runs empty nor grows. */
async function creditFor(
  durationMs: number,
  producer: BenchProcess,
  worker: BenchProcess,
): Promise<void> {
  for (const end = performance.now() + durationMs; performance.now() < end;) {
    const { acknowledged, errors } = await worker.ask<WorkerProgress>("progress");
    if (errors.length > 0) {
      throw new Error(errors.join("; "));
    }
    await producer.ask("credit", { acknowledged });
    await sleep(creditEveryMs);
  }
}

async function takeStock(server: BenchServer, producer: BenchProcess, worker: BenchProcess) {
  const { acknowledged, cpuMicroseconds } = await worker.ask<WorkerProgress>("progress");
  const produced = await producer.ask<{ cpuMicroseconds: number }>("credit", { acknowledged });
  return {
    atMs: performance.now(),
    jobs: acknowledged,
    workerCpu: cpuMicroseconds,
    producerCpu: produced.cpuMicroseconds,
    serverCpu: await server.cpuMicroseconds(),
  };
}
