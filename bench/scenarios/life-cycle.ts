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
      const facts = { row, peer: peer.name };
      const stage = await openStage(context, peer);
      const { jobs, ...used } = await measureSteadyState(context, stage, times);
      if (jobs === 0) {
        throw new Error(`${peer.name}: no job was done in ${times.windowMs} ms`);
      }
      figures.add(
        { ...facts, metric: "jobs a second", unit: "jobs/s" },
        (jobs / used.elapsedMs) * 1_000,
      );
      const perJob = { ...facts, unit: cpuUnit };
      figures.add({ ...perJob, metric: "server CPU a job" }, used.serverCpu / jobs);
      figures.add({ ...perJob, metric: "worker CPU a job" }, used.workerCpu / jobs);
      figures.add({ ...perJob, metric: "producer CPU a job" }, used.producerCpu / jobs);
      if (round === 0) {
        await countCommands(context, figures, stage, facts);
      }
      await stage.queue.remove();
    });
    return figures.all;
  },
};

interface Stage {
  readonly queue: BenchQueue;
  readonly worker: BenchProcess;
  readonly producer: BenchProcess;
  /** Enqueued so far, and all acknowledged. */
  jobs: number;
}

async function openStage({ openQueue }: ScenarioContext, peer: BenchPeer): Promise<Stage> {
  const queue = openQueue(peer);
  const worker = await queue.startWorker({ concurrency });
  return { queue, worker, producer: await queue.startProducer(), jobs: 0 };
}

async function measureSteadyState(
  { server }: ScenarioContext,
  stage: Stage,
  { settleMs, windowMs }: { settleMs: number; windowMs: number },
) {
  const production = startProducing(stage, settleMs + windowMs);
  await creditFor(settleMs, stage);
  const before = await takeStock(server, stage);
  await creditFor(windowMs, stage);
  const after = await takeStock(server, stage);
  await finish(stage, production);
  return {
    jobs: after.jobs - before.jobs,
    elapsedMs: after.atMs - before.atMs,
    serverCpu: after.serverCpu - before.serverCpu,
    workerCpu: after.workerCpu - before.workerCpu,
    producerCpu: after.producerCpu - before.producerCpu,
  };
}

/** Of all jobs of a short run, from the first to the last. */
async function countCommands(
  { server }: ScenarioContext,
  figures: Figures,
  stage: Stage,
  facts: { row: string; peer: string },
): Promise<void> {
  const jobsBefore = stage.jobs;
  const seen = await seenDuring(server, async () => {
    const production = startProducing(stage, countedMs);
    await creditFor(countedMs, stage);
    await finish(stage, production);
  });
  addCommands(figures, facts, { seen, queue: stage.queue, jobs: stage.jobs - jobsBefore });
}

/** Resolves with the number of all jobs so far, when it is stopped. */
function startProducing({ producer }: Stage, durationMs: number): Promise<number> {
  const production = producer.ask<number>("produce", { ahead }, 2 * durationMs + slackMs);
  // Awaited in the end; until then a failure is seen as jobs that do not come.
  production.catch(() => undefined);
  return production;
}

async function finish(stage: Stage, production: Promise<number>): Promise<void> {
  await stage.producer.ask("stopProducing");
  stage.jobs = await production;
  await untilAcknowledged([stage.worker], stage.jobs);
}

/** Tells the producer how far the worker is, so that the queue neither runs empty nor grows. */
async function creditFor(durationMs: number, { producer, worker }: Stage): Promise<void> {
  for (const end = performance.now() + durationMs; performance.now() < end;) {
    const { acknowledged, errors } = await worker.ask<WorkerProgress>("progress");
    if (errors.length > 0) {
      throw new Error(errors.join("; "));
    }
    await producer.ask("credit", { acknowledged });
    await sleep(creditEveryMs);
  }
}

async function takeStock(server: BenchServer, { producer, worker }: Stage) {
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
