/** What an audit of a queue found: for programs as an object, for people as text. */
import { VERIFY_MAX_FINDINGS } from "./limits.ts";

/**
 * - "orphan": a job in no place, so that no worker would ever get it.
 * - "double": a job in several places, so that several workers could hold it.
 * - "dangling": an entry that names no stored job.
 * - "malformed": a lease without a token, or a count of attempts that is no number.
 * - "queue": a key with a time to live, or totals or a token counter that cannot be right.
 */
export type BreachKind = "orphan" | "double" | "dangling" | "malformed" | "queue";

/** One job, or one key of the queue, that breaks the invariant. */
export interface Breach {
  /** The job; undefined for kind "queue". */
  readonly id: string | undefined;
  readonly kind: BreachKind;
  /** Where the id was found, such as "delayed" or "lease 7"; for kind "queue" what is wrong. */
  readonly details: readonly string[];
  /** Only with `repair`. */
  readonly isMended: boolean;
}

/** What an audit found. */
export interface VerifyReport {
  /** Whether the whole queue was looked at, no breach was found, and every job could be judged. */
  readonly isSound: boolean;
  /** False for an audit that was aborted: it tells what it had found by then. */
  readonly isComplete: boolean;
  /** Stored jobs that were looked at. */
  readonly jobs: number;
  /** Breaches found, before any mending. */
  readonly breachCount: number;
  readonly breachCounts: Readonly<Record<BreachKind, number>>;
  /** The first 1,000 of them. */
  readonly breaches: readonly Breach[];
  /**
   * Jobs seen in no place that could not be told from jobs being claimed at the moment, which takes
   * more than 3,000 jobs in processing and running claims: pause the queue and verify again.
   */
  readonly unknownCount: number;
}

export function emptyCounts(): Record<BreachKind, number> {
  return { orphan: 0, double: 0, dangling: 0, malformed: 0, queue: 0 };
}

/** One report on several parts of a queue, such as its shards. */
export function mergeReports(reports: readonly VerifyReport[]): VerifyReport {
  const breachCounts = emptyCounts();
  for (const kind of Object.keys(breachCounts) as BreachKind[]) {
    breachCounts[kind] = sum(reports, (report) => report.breachCounts[kind]);
  }
  return {
    isSound: reports.every(({ isSound }) => isSound),
    isComplete: reports.every(({ isComplete }) => isComplete),
    jobs: sum(reports, ({ jobs }) => jobs),
    breachCount: sum(reports, ({ breachCount }) => breachCount),
    breachCounts,
    breaches: reports.flatMap(({ breaches }) => breaches).slice(0, VERIFY_MAX_FINDINGS),
    unknownCount: sum(reports, ({ unknownCount }) => unknownCount),
  };
}

const MEANINGS: Readonly<Record<BreachKind, { meaning: string; remedy: string }>> = {
  orphan: { meaning: "in no place, would never run", remedy: "made due" },
  double: { meaning: "in several places, could run twice", remedy: "kept in the strongest place" },
  dangling: { meaning: "entries of a job that is not stored", remedy: "entries removed" },
  malformed: { meaning: "entries that cannot be read", remedy: "entries removed" },
  queue: { meaning: "faults of the queue itself", remedy: "put right" },
};

/**
 * The report as text for people, some lines of it, without colours.
 *
 * @param options `maxBreaches`: how many breaches are listed one by one. Default 20.
 */
export function formatVerifyReport(
  report: VerifyReport,
  options: { readonly maxBreaches?: number } = {},
): string {
  const { maxBreaches = 20 } = options;
  const lines = [headline(report)];
  for (const [kind, { meaning, remedy }] of Object.entries(MEANINGS)) {
    const count = report.breachCounts[kind as BreachKind];
    if (count > 0) {
      const isMended = report.breaches.some((breach) => breach.kind === kind && breach.isMended);
      lines.push(`  ${kind} ${whole(count)}: ${meaning}${isMended ? ` (${remedy})` : ""}`);
    }
  }
  const listed = report.breaches.slice(0, maxBreaches);
  lines.push(...listed.map((breach) => `    ${formatBreach(breach)}`));
  if (report.breachCount > listed.length) {
    lines.push(`    and ${whole(report.breachCount - listed.length)} more`);
  }
  if (report.breaches.some(({ isMended }) => !isMended)) {
    lines.push("  To mend them without losing a payload: queue.verify({ repair: true }).");
  }
  if (report.unknownCount > 0) {
    lines.push(
      `  ${whole(report.unknownCount)} jobs could not be told from jobs being claimed at the moment: ` +
        "pause the queue, verify again, and resume it.",
    );
  }
  return lines.join("\n");
}

function headline({ isSound, isComplete, jobs, breachCount }: VerifyReport): string {
  const looked = `${whole(jobs)} jobs looked at`;
  const end = isComplete ? "" : ", and not to the end: the audit was cut short";
  if (isSound) {
    return `sound: ${looked}, each in exactly one place`;
  }
  return breachCount === 0
    ? `no breach found: ${looked}${end}`
    : `NOT SOUND: ${looked}, ${whole(breachCount)} ${breachCount === 1 ? "breach" : "breaches"} found${end}`;
}

function formatBreach({ id, kind, details, isMended }: Breach): string {
  const where = details.length > 0 ? details.join(", ") : "nowhere";
  const what = id === undefined ? where : `${kind} ${JSON.stringify(id)}: ${where}`;
  return `${what}${isMended ? ", mended" : ""}`;
}

function sum(reports: readonly VerifyReport[], count: (report: VerifyReport) => number): number {
  return reports.reduce((total, report) => total + count(report), 0);
}

function whole(count: number): string {
  return count.toLocaleString("en-US");
}
