/** Figures that several scenarios take the same way. */
import type { BenchProcess } from "./bench-process.ts";
import type {
  BenchQueue,
  DrainResult,
  LoadArgument,
  QueueSettings,
  WorkerSettings,
} from "./bench-queue.ts";
import type { BenchServer } from "./bench-server.ts";
import type { BenchPeer, Figures, ScenarioContext } from "./scenario.ts";
import { clientCommands, innerCommands, type SeenCommands, withMonitor } from "./seen-commands.ts";

/** Jobs under MONITOR are few, for it slows the server down; but each slot takes many, one after another. */
const countedJobs = { least: 1_000, ofEachSlot: 20, ofEachSlotQuick: 5 };

/** Of jobs that nobody works on. */
const smallPayloadBytes = 16;
const dayMs = 24 * 60 * 60 * 1_000;
const fillTimeoutMs = 600_000;
const quickWarmUpJobs = 500;

export const cpuUnit = "µs";

/** One worked-off load: speed, and processor time on both sides. */
export function addDrain(
  figures: Figures,
  facts: { row: string; peer: string },
  jobs: number,
  { elapsedMs, workerCpuMicroseconds, serverCpuMicroseconds }: DrainResult,
): void {
  const perJob = { ...facts, unit: cpuUnit };
  const throughput = { ...facts, metric: "jobs a second", unit: "jobs/s" };
  figures.add(throughput, (jobs / elapsedMs) * 1_000);
  figures.add({ ...perJob, metric: "server CPU a job" }, serverCpuMicroseconds / jobs);
  figures.add({ ...perJob, metric: "worker CPU a job" }, workerCpuMicroseconds / jobs);
}

interface DrainSettings {
  /** One unless named. */
  readonly processes?: number;
  readonly settings?: QueueSettings;
  readonly worker: WorkerSettings;
}

interface CountedDrain extends DrainSettings {
  readonly row: string;
  readonly peer: BenchPeer;
}

/**
 * Until a job's processor time falls no more: measured with jobs that do nothing, some 100,000 for holdfast, some
 * 20,000 for BullMQ. As many for each. Where jobs are slow and few, four times as many as are measured.
 */
export function warmUpJobs(measuredJobs: number): number {
  return Math.min(4 * measuredJobs, 100_000);
}

function startWorkerProcesses(queue: BenchQueue, count: number): Promise<BenchProcess[]> {
  return Promise.all(Array.from({ length: count }, () => queue.startWorkerProcess()));
}

/** Fills a queue, and lets warm workers work it off. */
export async function loadAndDrain(
  { openQueue, isQuick }: ScenarioContext,
  peer: BenchPeer,
  { jobs, processes = 1, settings, worker }: DrainSettings & { jobs: number },
): Promise<DrainResult> {
  const queue = openQueue(peer, settings);
  const workers = await startWorkerProcesses(queue, processes);
  const warmUp = isQuick ? quickWarmUpJobs : warmUpJobs(jobs);
  for (const process of workers) {
    await queue.warmUp(process, worker, Math.ceil(warmUp / processes));
  }
  await queue.load({ jobs });
  const result = await queue.drain(workers, jobs, worker);
  await queue.remove();
  return result;
}

/** What a job costs in commands: counted once, for it hardly varies from run to run. */
export async function countDrain(
  { server, openQueue, isQuick }: ScenarioContext,
  figures: Figures,
  { row, peer, processes = 1, settings, worker }: CountedDrain,
): Promise<void> {
  const queue = openQueue(peer, settings);
  const workers = await startWorkerProcesses(queue, processes);
  const { least, ofEachSlot, ofEachSlotQuick } = countedJobs;
  const slots = processes * worker.concurrency;
  const jobs = Math.max(least, (isQuick ? ofEachSlotQuick : ofEachSlot) * slots);
  await queue.load({ jobs });
  const seen = await seenDuring(server, () => queue.drain(workers, jobs, worker));
  addCommands(figures, { row, peer: peer.name }, { seen, queue, jobs });
  await queue.remove();
}

export function seenDuring(
  server: BenchServer,
  run: () => Promise<unknown>,
): Promise<SeenCommands> {
  return withMonitor(server, (see) => see(run));
}

export function addCommands(
  figures: Figures,
  facts: { row: string; peer: string },
  { seen, queue, jobs }: { seen: SeenCommands; queue: BenchQueue; jobs: number },
): void {
  const perJob = { ...facts, unit: "commands" };
  const client = clientCommands(seen, queue.names.producer);
  figures.add({ ...perJob, metric: "client commands a job" }, client / jobs);
  figures.add(
    { ...perJob, metric: "inner commands a job" },
    innerCommands(seen, queue.names.producer) / jobs,
  );
}

/** Enqueues so many jobs that are due much later, and keeps the producer out of what follows. */
export async function fillUp(
  producer: BenchProcess,
  { jobs, delayMs = dayMs, payloadBytes = smallPayloadBytes }: LoadArgument,
): Promise<void> {
  await producer.ask("load", { jobs, delayMs, payloadBytes }, fillTimeoutMs);
}
