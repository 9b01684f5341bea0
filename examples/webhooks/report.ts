/** What became of the deliveries: the receiver's log and the queue's own counts, held against each other. */
import type { CloseSummary, QueueStats, VerifyReport } from "holdfast";
import type { Call } from "./receiver.ts";

export interface Outcome {
  readonly enqueuedIds: readonly string[];
  /** The receiver's log. */
  readonly calls: readonly Call[];
  /** Never accepted by the receiver, and unknown to the queue. */
  readonly lostIds: readonly string[];
  readonly stats: QueueStats;
  readonly verification: VerifyReport;
  readonly killed: KilledWorker;
  readonly terminated: TerminatedWorker;
}

export interface KilledWorker {
  readonly name: string;
  readonly killedAtMs: number;
  /** The jobs that it had not settled when it was killed. */
  readonly heldIds: ReadonlySet<string>;
}

export interface TerminatedWorker {
  readonly name: string;
  readonly ending: string;
  /** What its `close()` answered. */
  readonly summary: CloseSummary | undefined;
}

export interface Report {
  readonly text: string;
  /** Whether everything was delivered and every check holds. */
  readonly isGood: boolean;
}

/** Times after the kill at which the last of the killed worker's jobs … */
interface Recovery {
  /** … was in a call of another worker. */
  readonly resumedMs: number;
  /** … was accepted from another worker. */
  readonly deliveredMs: number;
}

interface Row {
  readonly label: string;
  readonly value: string;
  readonly remark?: string;
}

interface Check {
  readonly claim: string;
  readonly holds: boolean;
}

export function report(outcome: Outcome): Report {
  const recovery = recoveryOf(outcome);
  const checks = checksOf(outcome, recovery);
  const lines = [
    ...tableLines(rowsOf(outcome, recovery)),
    "",
    ...checks.map(({ claim, holds }) => `  ${holds ? "ok    " : "FAILED"}  ${claim}`),
  ];
  return { text: lines.join("\n"), isGood: checks.every(({ holds }) => holds) };
}

function rowsOf(outcome: Outcome, recovery: Recovery | undefined): Row[] {
  const { calls, enqueuedIds, killed, lostIds, stats, terminated } = outcome;
  const acceptances = countAcceptances(calls);
  const repeatedIds = [...acceptances].filter(([, count]) => count > 1).map(([id]) => id);
  const repeatedByKill = repeatedIds.filter((id) => killed.heldIds.has(id)).length;
  const refused = calls.filter(({ isAccepted }) => !isAccepted).length;
  const lateness = firstLatenessesMs(calls).toSorted((a, b) => a - b);
  const latenesses = [0.5, 0.99, 1].map((share) => percentile(lateness, share));
  const { finished, released, abandoned } = terminated.summary ?? {};
  return [
    { label: "enqueued", value: whole(enqueuedIds.length) },
    { label: "delivered at least once", value: whole(acceptances.size) },
    {
      label: "delivered more than once",
      value: whole(repeatedIds.length),
      remark: `${whole(repeatedByKill)} of them accepted from the killed worker, which could not acknowledge any more`,
    },
    {
      label: "retried",
      value: whole(stats.totals.retried),
      remark: `the receiver refused ${whole(refused)} of ${whole(calls.length)} calls`,
    },
    { label: "dead", value: whole(stats.dead) },
    { label: "lost", value: whole(lostIds.length) },
    {
      label: "lateness p50 / p99 / max",
      value: `${latenesses.map(whole).join(" / ")} ms`,
      remark: "start of the first delivery minus due time",
    },
    {
      label: `${killed.name}, killed`,
      value: recovery
        ? `${whole(recovery.resumedMs)} / ${whole(recovery.deliveredMs)} ms`
        : "not recovered",
      remark: `until others had called with / delivered all of the ${killed.heldIds.size} jobs it held`,
    },
    {
      label: `${terminated.name}, closed`,
      value: terminated.summary ? `${finished} / ${released} / ${abandoned}` : "no answer",
      remark: `jobs finished / released / abandoned, then ${terminated.ending}`,
    },
  ];
}

function checksOf(outcome: Outcome, recovery: Recovery | undefined): Check[] {
  const { calls, enqueuedIds, lostIds, stats, terminated, verification } = outcome;
  const { totals } = stats;
  const acceptances = countAcceptances(calls);
  const inQueue = stats.delayed + stats.due + stats.processing + stats.dead;
  return [
    {
      claim: "receiver's log: every job that was enqueued was delivered, and nothing is lost",
      holds: enqueuedIds.every((id) => acceptances.has(id)) && lostIds.length === 0,
    },
    {
      claim: `queue.stats(): ${whole(totals.enqueued)} enqueued = ${whole(totals.completed)} completed, ${whole(inQueue)} left`,
      holds:
        totals.enqueued === enqueuedIds.length &&
        totals.completed === enqueuedIds.length &&
        inQueue === 0,
    },
    {
      claim: `queue.verify(): sound, ${whole(verification.breachCount)} breaches, ${whole(verification.jobs)} jobs left`,
      holds: verification.isSound && verification.jobs === 0,
    },
    {
      claim: "the killed worker held jobs, and others delivered them",
      holds: recovery !== undefined,
    },
    {
      claim: "the worker that got SIGTERM closed gracefully",
      holds: terminated.summary !== undefined && terminated.ending === "exit code 0",
    },
  ];
}

/** By job, leaving out those never accepted. */
function countAcceptances(calls: readonly Call[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { jobId, isAccepted } of calls) {
    if (isAccepted) {
      counts.set(jobId, (counts.get(jobId) ?? 0) + 1);
    }
  }
  return counts;
}

/**
 * Of a job that a closing worker gave back, the earlier of its two first attempts. True as far as this
 * machine's clock agrees with Redis's, by which jobs are due.
 */
function firstLatenessesMs(calls: readonly Call[]): number[] {
  const latenesses = new Map<string, number>();
  for (const { attempt, jobId, dueAtMs, sentAtMs } of calls) {
    if (attempt === 1) {
      setIfAbsent(latenesses, jobId, sentAtMs - dueAtMs);
    }
  }
  return [...latenesses.values()];
}

/** From the kill on, for all jobs that the killed worker held; undefined if others have not delivered them. */
function recoveryOf({ calls, killed }: Outcome): Recovery | undefined {
  const resumedMs = new Map<string, number>();
  const deliveredMs = new Map<string, number>();
  for (const { answeredAtMs, isAccepted, jobId, sender, sentAtMs } of calls) {
    const isRecovery = killed.heldIds.has(jobId) && sender !== killed.name;
    if (isRecovery && sentAtMs >= killed.killedAtMs) {
      setIfAbsent(resumedMs, jobId, sentAtMs - killed.killedAtMs);
      if (isAccepted && answeredAtMs !== undefined) {
        setIfAbsent(deliveredMs, jobId, answeredAtMs - killed.killedAtMs);
      }
    }
  }
  const isRecovered = killed.heldIds.size > 0 && deliveredMs.size === killed.heldIds.size;
  return isRecovered
    ? { resumedMs: Math.max(...resumedMs.values()), deliveredMs: Math.max(...deliveredMs.values()) }
    : undefined;
}

function setIfAbsent<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  if (!map.has(key)) {
    map.set(key, value);
  }
}

/** The nearest rank of sorted values. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

function tableLines(rows: readonly Row[]): string[] {
  const labelWidth = Math.max(...rows.map(({ label }) => label.length));
  const valueWidth = Math.max(...rows.map(({ value }) => value.length));
  return rows.map(({ label, value, remark = "" }) =>
    `  ${label.padEnd(labelWidth)}  ${value.padStart(valueWidth)}  ${remark}`.trimEnd(),
  );
}

function whole(value: number): string {
  return value.toLocaleString("en-US");
}
