/** Sends new jobs again until each has its answer or is out of time. */
import { monotonicNow, pause, withDeadline } from "../model/clock.ts";
import {
  ClosedError,
  EnqueueUnconfirmedError,
  HoldfastError,
  RedisUnavailableError,
} from "../model/errors.ts";
import { ENQUEUE_TRY_MIN_MS } from "../model/limits.ts";
import type { EnqueueReply, NewJob } from "../store/messages.ts";
import { retryPauseMs } from "./retry-pause.ts";

/** A new job, and how long its caller waits. */
export interface TimedJob extends NewJob {
  readonly timeoutMs: number;
  readonly deadline: number;
}

export type EnqueueOutcome = EnqueueReply | HoldfastError;

/** What Redis is asked again for: it did not answer, or cannot serve for the moment. */
const isUnanswered = (outcome: EnqueueOutcome) =>
  outcome instanceof RedisUnavailableError || outcome instanceof ClosedError;

/** Where the last try is cut short, the failure before it says more. */
const noAnswer = (lastFailure: HoldfastError | undefined) => () =>
  lastFailure ?? new RedisUnavailableError("Redis did not answer in time");

export function timedJob(job: NewJob, timeoutMs: number): TimedJob {
  const { id, envelope, due, durability } = job;
  return { id, envelope, due, durability, timeoutMs, deadline: monotonicNow() + timeoutMs };
}

/**
 * Safe to repeat: a stored envelope that comes again is answered as created. Jobs whose time is up leave,
 * the others are tried again.
 */
export async function sendUntilAnswered(
  jobs: readonly TimedJob[],
  send: (open: readonly TimedJob[], tryMs: number) => Promise<EnqueueOutcome[]>,
): Promise<EnqueueOutcome[]> {
  const outcomes = new Map<TimedJob, EnqueueOutcome>();
  let open = jobs;
  let lastFailure: HoldfastError | undefined;
  for (let failures = 1; open.length > 0; failures += 1) {
    const earliest = open.reduce((least, { deadline }) => Math.min(least, deadline), Infinity);
    const tryMs = Math.max(ENQUEUE_TRY_MIN_MS, Math.ceil(earliest - monotonicNow()));
    const answers = await withDeadline(send(open, tryMs), tryMs, noAnswer(lastFailure)).catch(
      (error: unknown) => sameForAll(open, error),
    );
    if (open === jobs && !answers.some(isUnanswered)) {
      return answers; // nearly always
    }
    const pauseMs = retryPauseMs(failures);
    const retryAt = monotonicNow() + pauseMs;
    const again: TimedJob[] = [];
    for (const [index, job] of open.entries()) {
      const answer = answers[index]!;
      if (!isUnanswered(answer)) {
        outcomes.set(job, answer);
      } else if (answer instanceof ClosedError || job.deadline <= retryAt) {
        const options = { cause: answer };
        outcomes.set(job, new EnqueueUnconfirmedError([job.id], job.timeoutMs, options));
      } else {
        again.push(job);
        lastFailure = answer;
      }
    }
    open = again;
    if (open.length > 0) {
      await pause(pauseMs);
    }
  }
  return jobs.map((job) => outcomes.get(job)!);
}

function sameForAll(open: readonly TimedJob[], error: unknown): EnqueueOutcome[] {
  if (!(error instanceof HoldfastError)) {
    throw error;
  }
  return open.map(() => error);
}
