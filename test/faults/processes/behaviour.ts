/** How the jobs of a soak behave, drawn by their producer and acted out by their holder. */
import { setTimeout as sleep } from "node:timers/promises";
import { DeadLetter, type EnqueueOptions, type Job, RetryLater } from "../../../src/index.ts";
import type { Chance } from "../soak/chance.ts";
import { VISIBILITY_TIMEOUT_MS } from "../soak/setting.ts";

/**
 * quick: done at once. slow: stops when told to. long: the same, for several leases. stubborn: goes on when told to stop. extending: extends
 * its lease itself. blocking: the first time, keeps the whole process from running. failing: throws the first times.
 * hopeless: throws each time. later: asks for another time, now and then. dying: buries itself, now and then.
 */
const SHARES = {
  quick: 50,
  slow: 14,
  long: 4,
  stubborn: 5,
  extending: 5,
  blocking: 0.1,
  failing: 8,
  hopeless: 3,
  later: 6,
  dying: 5,
} as const;

type Manner = keyof typeof SHARES;

const WORK_MS: { readonly [M in Manner]?: readonly [shortest: number, longest: number] } = {
  quick: [0, 5],
  long: [2 * VISIBILITY_TIMEOUT_MS, 4 * VISIBILITY_TIMEOUT_MS],
};
const DEFAULT_WORK_MS = [100, 1_800] as const;

export interface SoakJob {
  readonly manner: Manner;
  readonly workMs: number;
  readonly failures: number;
  readonly delayMs: number;
}

export interface DrawnJob {
  readonly data: SoakJob;
  readonly options: Pick<EnqueueOptions, "maxAttempts">;
  /** Until it is due. */
  readonly delayMs: number;
  /** Whether that is told as a delay, or as a moment. */
  readonly isRelative: boolean;
  /** Set if the producer will try to cancel it. */
  readonly cancelAfterMs: number | undefined;
}

export function drawJob(chance: Chance): DrawnJob {
  const manner = drawManner(chance);
  const workMs = chance.integer(...(WORK_MS[manner] ?? DEFAULT_WORK_MS));
  const failures = chance.integer(1, 4);
  const retryAfterMs = chance.integer(0, 800);
  const isDelayed = chance.happens(0.4);
  const delayMs = chance.integer(1, 3_000);
  const isRelative = chance.happens(0.7);
  const isCancelled = chance.happens(isDelayed ? 0.08 : 0.01);
  const cancelAfterMs = chance.integer(0, 2_000);
  const maxAttempts = chance.integer(2, 4);
  return {
    data: { manner, workMs, failures, delayMs: retryAfterMs },
    options: manner === "hopeless" ? { maxAttempts } : {},
    delayMs: isDelayed ? delayMs : 0,
    isRelative,
    cancelAfterMs: isCancelled ? cancelAfterMs : undefined,
  };
}

function drawManner(chance: Chance): Manner {
  const manners = Object.entries(SHARES) as [Manner, number][];
  let left = chance.fraction() * manners.reduce((sum, [, share]) => sum + share, 0);
  for (const [manner, share] of manners) {
    left -= share;
    if (left < 0) return manner;
  }
  return "quick";
}

/** Behaves as the job says. Returns or throws as a handler does. */
export async function behave(
  job: Job<SoakJob>,
  signal: AbortSignal,
  extend: () => Promise<void>,
): Promise<void> {
  const { manner, workMs, failures, delayMs } = job.data;
  switch (manner) {
    case "quick":
      return workMs === 0 ? undefined : sleep(workMs);
    case "slow":
    case "long":
      return sleepUntilAborted(workMs, signal);
    case "stubborn":
      return sleep(workMs);
    case "extending":
      await sleepUntilAborted(workMs / 2, signal);
      await extend();
      return sleepUntilAborted(workMs / 2, signal);
    case "blocking":
      return job.attempt === 1 ? block(VISIBILITY_TIMEOUT_MS * 1.2) : undefined;
    case "failing":
    case "hopeless":
      await sleepUntilAborted(workMs / 10, signal);
      if (manner === "hopeless" || job.attempt <= failures) {
        throw new Error(`attempt ${job.attempt} fails`);
      }
      return undefined;
    case "later":
      if (isHeads(job)) throw new RetryLater({ delayMs });
      return undefined;
    case "dying":
      if (isHeads(job)) throw new DeadLetter("it was its turn to die");
      return undefined;
  }
}

/** As good as a coin: microseconds. Not of the plan, which cannot know how often a job is delivered. */
function isHeads({ fencingToken }: Job<SoakJob>): boolean {
  return fencingToken % 2 === 0;
}

async function sleepUntilAborted(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
