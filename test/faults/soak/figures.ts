/** The figures of a soak: what was done, what went wrong, and what it cost. */
import type { EndState, Violation } from "../checker/evidence.ts";
import { isConfirmed, jobHistories, type JobHistory } from "../checker/job-history.ts";
import { leastStored } from "../checker/accounts.ts";
import type { Entry } from "../history/lines.ts";
import { FAULT_KINDS } from "./plan.ts";
import { measureRecovery } from "./recovery.ts";

export interface Percentiles {
  readonly count: number;
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly max: number | undefined;
}

export interface Figures {
  readonly jobs: {
    readonly confirmed: number;
    /** Confirmed, gone, and finished by nobody. */
    readonly lost: number;
    /** Runs to the end beyond a job's first. */
    readonly duplicates: number;
    /** At the least: by copies of an enqueue that arrived after the job had run. */
    readonly storedAgain: number;
    readonly unconfirmed: number;
    readonly deliveries: number;
    readonly expiredLeases: number;
    /** Outcomes that a holder decided on, and that holdfast or Redis did not let through. */
    readonly refusedOutcomes: number;
    /** Handlers whose signal told them that they had lost the job. */
    readonly toldOfLoss: number;
    readonly deadAtEnd: number;
  };
  readonly totals: EndState["totals"];
  readonly faults: Readonly<Record<string, number>>;
  /** Of the cuts before a command or its reply. */
  readonly cutsWithoutCall: number;
  /** Given back: until Redis gave the job back. Started: until its next handler started. */
  readonly recoveryMs: Readonly<
    Record<
      | "killedGivenBack"
      | "killedStarted"
      | "stoppedGivenBack"
      | "stoppedStarted"
      | "redisBackToNextStart",
      Percentiles
    >
  >;
  readonly errorsSeen: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

export function figuresOf(
  entries: readonly Entry[],
  end: EndState,
  violations: readonly Violation[],
): Figures {
  const jobs = [...jobHistories(entries).values()];
  const stored = new Set(end.jobIds);
  const sum = (of: (job: JobHistory) => number) => jobs.reduce((all, job) => all + of(job), 0);
  const completions = ({ deliveries }: JobHistory) =>
    deliveries.filter(({ intent }) => intent === "complete").length;
  const { afterKill, afterStop, afterRedisMs } = measureRecovery(entries);
  return {
    jobs: {
      confirmed: jobs.filter(isConfirmed).length,
      lost: violations.filter(({ rule }) => rule === "lost").length,
      duplicates: sum((job) => Math.max(0, completions(job) - 1)),
      storedAgain:
        end.totals.enqueued - sum((job) => (leastStored(job, stored.has(job.id)) > 0 ? 1 : 0)),
      unconfirmed: jobs.filter((job) => !isConfirmed(job)).length,
      deliveries: sum(({ deliveries }) => deliveries.length),
      expiredLeases: end.totals.expired,
      refusedOutcomes: sum(
        ({ deliveries }) => deliveries.filter(({ settlement }) => settlement === "lost").length,
      ),
      toldOfLoss: entries.filter((entry) => entry.kind === "abort" && entry.code === "LEASE_LOST")
        .length,
      deadAtEnd: end.places.filter(({ place }) => place === "dead").length,
    },
    totals: end.totals,
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, countFaults(entries, kind)])),
    cutsWithoutCall: entries.find((entry) => entry.kind === "cuts-left")?.count ?? 0,
    recoveryMs: {
      killedGivenBack: percentiles(afterKill.map(({ givenBackMs }) => givenBackMs)),
      killedStarted: percentiles(afterKill.map(({ startedMs }) => startedMs)),
      stoppedGivenBack: percentiles(afterStop.map(({ givenBackMs }) => givenBackMs)),
      stoppedStarted: percentiles(afterStop.map(({ startedMs }) => startedMs)),
      redisBackToNextStart: percentiles(afterRedisMs),
    },
    errorsSeen: errorsSeen(entries),
    violations,
  };
}

function countFaults(entries: readonly Entry[], fault: string): number {
  return entries.filter((entry) => entry.kind === "fault" && entry.fault === fault).length;
}

function errorsSeen(entries: readonly Entry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const entry of entries) {
    if (entry.kind === "error" || entry.kind === "enqueue-failed") {
      counts[entry.code] = (counts[entry.code] ?? 0) + 1;
    } else if (entry.kind === "enqueue-refused") {
      counts["QUEUE_FULL"] = (counts["QUEUE_FULL"] ?? 0) + 1;
    }
  }
  return counts;
}

function percentiles(samples: readonly number[]): Percentiles {
  const sorted = samples.toSorted((first, second) => first - second);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) };
}
