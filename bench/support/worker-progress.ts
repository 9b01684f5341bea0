/** What worker processes have done so far, and waiting until they have done all. */
import type { BenchProcess } from "./bench-process.ts";

const pollMs = 20;
/** Every peer has this long for jobs that holdfast works off in seconds. */
export const drainTimeoutMs = 180_000;

/** Of one worker process. Times are on the machine's monotonic clock. */
export interface WorkerProgress {
  readonly started: number;
  readonly acknowledged: number;
  readonly firstStartAtMs: number;
  readonly lastStartAtMs: number;
  readonly lastAcknowledgedAtMs: number;
  /** Since the first start. */
  readonly cpuMicroseconds: number;
  readonly errors: readonly string[];
}

/** How often a worker process saw each job, by the job's number. */
interface JobCounts {
  readonly started: Uint8Array;
  readonly acknowledged: Uint8Array;
}

export async function untilStarted(worker: BenchProcess, jobs: number): Promise<void> {
  while ((await worker.ask<WorkerProgress>("progress")).started < jobs) {
    await pause();
  }
}

/**
 * Resolves when so many jobs have their end.
 *
 * @throws Error if more have started, or they do not end in time
 */
export async function untilCounted(
  workers: readonly BenchProcess[],
  jobs: number,
): Promise<WorkerProgress[]> {
  const giveUpAt = performance.now() + drainTimeoutMs;
  for (;;) {
    const progress = await Promise.all(
      workers.map((worker) => worker.ask<WorkerProgress>("progress")),
    );
    const errors = progress.flatMap((one) => one.errors);
    const started = sum(progress.map((one) => one.started));
    const acknowledged = sum(progress.map((one) => one.acknowledged));
    if (errors.length > 0 || started > jobs || performance.now() > giveUpAt) {
      const counts = `${jobs} jobs: ${started} started, ${acknowledged} acknowledged`;
      throw new Error(`${counts}${errors.length > 0 ? `, ${errors.join("; ")}` : ""}`);
    }
    if (acknowledged >= jobs) {
      return progress;
    }
    await pause();
  }
}

/**
 * Resolves when all jobs, numbered from 0, have their end.
 *
 * @throws Error unless each has run once and has ended once
 */
export async function untilAcknowledged(
  workers: readonly BenchProcess[],
  jobs: number,
): Promise<WorkerProgress[]> {
  const progress = await untilCounted(workers, jobs);
  await expectEachOnce(workers, jobs);
  return progress;
}

/** By the jobs' numbers: a count alone would take a lost job and a double one for two good ones. */
export async function expectEachOnce(
  workers: readonly BenchProcess[],
  jobs: number,
): Promise<void> {
  const counts = await Promise.all(workers.map((worker) => worker.ask<JobCounts>("jobCounts")));
  const faults = [
    ...faultsOf(
      "started",
      counts.map(({ started }) => started),
      jobs,
    ),
    ...faultsOf(
      "acknowledged",
      counts.map(({ acknowledged }) => acknowledged),
      jobs,
    ),
  ];
  if (faults.length > 0) {
    throw new Error(`of ${jobs} jobs, ${faults.join("; ")}`);
  }
}

/** What is wrong with the counts of several processes, if each of so many jobs should have one. */
export function faultsOf(what: string, counts: readonly Uint8Array[], jobs: number): string[] {
  const size = Math.max(jobs, ...counts.map(({ length }) => length));
  const numbers = {
    never: [] as number[],
    "more than once": [] as number[],
    "without being enqueued": [] as number[],
  };
  for (let n = 0; n < size; n += 1) {
    const times = sum(counts.map((all) => all[n] ?? 0));
    if (n >= jobs && times > 0) numbers["without being enqueued"].push(n);
    else if (n < jobs && times === 0) numbers.never.push(n);
    else if (times > 1) numbers["more than once"].push(n);
  }
  return Object.entries(numbers).flatMap(([how, all]) =>
    all.length > 0 ? [`${all.length} ${what} ${how}, the first is number ${all[0]}`] : [],
  );
}

/** The one that acknowledged last. */
export function lastToEnd(
  workers: readonly BenchProcess[],
  progress: readonly WorkerProgress[],
): BenchProcess {
  const ends = progress.map(({ lastAcknowledgedAtMs }) => lastAcknowledgedAtMs);
  return workers[ends.indexOf(Math.max(...ends))]!;
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, pollMs);
  });
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
