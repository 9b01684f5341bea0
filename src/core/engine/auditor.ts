/**
 * The audit of the invariant: each stored job is in exactly one of `delayed`, `processing` and `dead`,
 * and nothing else names a job that is not stored. Works in pages, beside running workers: pages only
 * name suspects, and each suspect is then looked at as a whole in one atomic step.
 */
import {
  ADMIN_BATCH_JOBS,
  VERIFY_MAX_FINDINGS,
  VERIFY_PAGE_BYTES,
  VERIFY_PAGE_ENTRIES,
} from "../model/limits.ts";
import type { JobStore } from "../store/job-store.ts";

const PARTS = ["processing", "jobs", "delayed", "dead", "attempts", "errors"] as const;

/** "orphan": a job in no place. "double": a job in several. "dangling": an entry without a job. */
export type BreachKind = "orphan" | "double" | "dangling";

export interface Breach {
  readonly id: string;
  readonly kind: BreachKind;
  readonly isMended: boolean;
}

export interface VerifyReport {
  /** Whether no breach was found, and every suspect could be examined. */
  readonly isSound: boolean;
  /** Stored jobs that were looked at. */
  readonly jobs: number;
  /** Breaches found, before any mending. */
  readonly breachCount: number;
  /** The first 1,000 of them. */
  readonly breaches: readonly Breach[];
  /** Suspects that could not be examined, for more than 3,000 jobs are being processed: try again later. */
  readonly unknownCount: number;
}

export async function audit(store: JobStore, repairs: boolean): Promise<VerifyReport> {
  const tally = { jobs: 0, breachCount: 0, unknownCount: 0, breaches: [] as Breach[] };
  const leased = new Set<string>();
  for (const part of PARTS) {
    let cursor = "0";
    let pageSize = 1;
    do {
      const page = await store.verifyPage(part, cursor, pageSize);
      pageSize = nextPageSize(pageSize, page.bytes);
      cursor = page.cursor;
      tally.jobs += part === "jobs" ? page.entries : 0;
      const suspects = new Set<string>();
      for (const { kind, id } of page.findings) {
        const isKnownLease = leased.has(id);
        if (kind === "suspect" || (kind === "unplaced" ? !isKnownLease : isKnownLease)) {
          suspects.add(id);
        }
        if (kind === "leased") {
          leased.add(id);
        }
      }
      await examine(store, [...suspects], repairs, tally);
    } while (cursor !== "0");
  }
  return { ...tally, isSound: tally.breachCount === 0 && tally.unknownCount === 0 };
}

/** One report of several shards. */
export function mergeReports(reports: readonly VerifyReport[]): VerifyReport {
  const sum = (count: (report: VerifyReport) => number) =>
    reports.reduce((total, report) => total + count(report), 0);
  return {
    isSound: reports.every(({ isSound }) => isSound),
    jobs: sum(({ jobs }) => jobs),
    breachCount: sum(({ breachCount }) => breachCount),
    breaches: reports.flatMap(({ breaches }) => breaches).slice(0, VERIFY_MAX_FINDINGS),
    unknownCount: sum(({ unknownCount }) => unknownCount),
  };
}

/** Scanning `jobs` reads the payloads: pages grow only as long as those are small. */
function nextPageSize(pageSize: number, bytes: number): number {
  return bytes < VERIFY_PAGE_BYTES
    ? Math.min(pageSize * 2, VERIFY_PAGE_ENTRIES)
    : Math.max(1, Math.floor(pageSize / 2));
}

async function examine(
  store: JobStore,
  suspects: string[],
  repairs: boolean,
  tally: { breachCount: number; unknownCount: number; breaches: Breach[] },
): Promise<void> {
  for (let first = 0; first < suspects.length; first += ADMIN_BATCH_JOBS) {
    const ids = suspects.slice(first, first + ADMIN_BATCH_JOBS);
    const kinds = await store.mend(ids, repairs);
    for (const [index, id] of ids.entries()) {
      const kind = kinds[index];
      if (kind === "unknown") {
        tally.unknownCount += 1;
      } else if (kind !== undefined && kind !== "sound") {
        tally.breachCount += 1;
        if (tally.breaches.length < VERIFY_MAX_FINDINGS) {
          tally.breaches.push({ id, kind: kind as BreachKind, isMended: repairs });
        }
      }
    }
  }
}
