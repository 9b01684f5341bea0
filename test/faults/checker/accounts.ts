/** Redis's running totals add up, and lie between what was surely done and what was asked for. */
import type { Evidence, Violation } from "./evidence.ts";
import { countEnds } from "./fates.ts";
import { isConfirmed, type JobHistory } from "./job-history.ts";
import type { DeliveryHistory } from "./job-history.ts";

export function checkAccounts(
  jobs: readonly JobHistory[],
  { entries, end }: Evidence,
): Violation[] {
  const { totals } = end;
  const violations: Violation[] = [];
  const add = (message: string) => violations.push({ rule: "totals", id: undefined, message });
  const thereCount = new Set(end.jobIds).size;
  const accountedFor = totals.completed + totals.cancelled + totals.purged + thereCount;
  if (totals.enqueued !== accountedFor) {
    add(
      `enqueued is ${totals.enqueued}, but what was removed and what is there make ${accountedFor}`,
    );
  }

  /** @param most what was asked for: a total cannot be more, where each of its causes is written down first */
  const between = (
    name: keyof typeof totals,
    least: number,
    most = Number.POSITIVE_INFINITY,
  ): void => {
    if (totals[name] < least) {
      add(`${name} is ${totals[name]}, but processes were told of ${least}`);
    } else if (totals[name] > most) {
      add(`${name} is ${totals[name]}, but no more than ${most} were asked for`);
    }
  };
  const deliveries = jobs.flatMap((job) => job.deliveries);
  const count = (holds: (delivery: DeliveryHistory) => boolean) => deliveries.filter(holds).length;
  const tally = (of: (job: JobHistory) => number) => jobs.reduce((sum, job) => sum + of(job), 0);
  const lines = (holds: (entry: Evidence["entries"][number]) => boolean) =>
    entries.filter(holds).length;

  between(
    "completed",
    count(({ settlement }) => settlement === "completed"),
    count(({ intent }) => intent === "complete"),
  );
  between(
    "cancelled",
    tally(({ cancelAnswers: all }) => all.filter(({ answer }) => answer === "cancelled").length),
    tally(({ cancels }) => cancels.length),
  );
  between(
    "purged",
    tally(({ purgeAnswers: all }) => all.filter(({ isPurged }) => isPurged).length),
    tally(({ purges }) => purges.length),
  );
  between(
    "redriven",
    lines((entry) => entry.kind === "redrive-answered" && entry.isRedriven),
    lines(({ kind }) => kind === "redrive"),
  );
  between(
    "buried",
    count(({ settlement }) => settlement === "dead") + lines(({ kind }) => kind === "buried-unrun"),
  );
  between(
    "retried",
    count(({ settlement, isCounted }) => settlement === "retried" && isCounted),
  );
  const there = new Set(end.jobIds);
  between(
    "enqueued",
    tally((job) => leastStored(job, there.has(job.id))),
  );
  return violations;
}

/** How often the job was stored at the least. */
export function leastStored(job: JobHistory, isThere: boolean): number {
  const wasSeen = isConfirmed(job) || job.deliveries.length > 0 || isThere;
  return Math.max(wasSeen ? 1 : 0, countEnds(job) + (isThere ? 1 : 0));
}
