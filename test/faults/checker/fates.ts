/** What became of each job: none is lost, and each that is there is in exactly one place. */
import type { EndState, Violation } from "./evidence.ts";
import { claimedAt, isConfirmed, type JobHistory, wasSentOnce } from "./job-history.ts";

export function checkFates(
  jobs: ReadonlyMap<string, JobHistory>,
  { jobIds, places }: EndState,
): Violation[] {
  const stored = new Set(jobIds);
  const violations = checkPlaces(stored, places);
  for (const id of stored) {
    if ((jobs.get(id)?.enqueues.length ?? 0) === 0) {
      violations.push({ rule: "unknown job", id, message: "is there, but nobody enqueued it" });
    }
  }
  for (const job of jobs.values()) {
    violations.push(
      ...checkLoss(job, stored),
      ...checkRefusal(job, stored),
      ...checkEnds(job, stored),
    );
  }
  return violations;
}

function checkPlaces(stored: ReadonlySet<string>, places: EndState["places"]): Violation[] {
  const placesOf = new Map<string, string[]>();
  for (const { id, place } of places) {
    placesOf.set(id, [...(placesOf.get(id) ?? []), place]);
  }
  const violations: Violation[] = [];
  for (const id of new Set([...stored, ...placesOf.keys()])) {
    const found = placesOf.get(id) ?? [];
    if (found.length !== 1 || !stored.has(id)) {
      const envelope = stored.has(id) ? "has an envelope" : "has no envelope";
      const message = `${envelope} and is in: ${found.join(", ") || "no place"}`;
      violations.push({ rule: "not in one place", id, message });
    }
  }
  return violations;
}

/** A handler's end is written before the job can go: so whatever is gone, somebody had finished. */
function checkLoss(job: JobHistory, stored: ReadonlySet<string>): Violation[] {
  const { id, deliveries } = job;
  const wasFinished = deliveries.some(({ intent }) => intent === "complete");
  if (!isConfirmed(job) || stored.has(id) || wasFinished || mayBeRemoved(job)) {
    return [];
  }
  return [{ rule: "lost", id, message: "was confirmed, is gone, and nobody finished it" }];
}

/** Cancelled or purged, or a call without an answer may have done it. */
function mayBeRemoved({ cancels, cancelAnswers, purges, purgeAnswers }: JobHistory): boolean {
  const didNothing =
    cancelAnswers.filter(({ answer }) => answer !== "cancelled").length +
    purgeAnswers.filter(({ isPurged }) => !isPurged).length;
  return cancels.length + purges.length > didNothing;
}

function checkRefusal(job: JobHistory, stored: ReadonlySet<string>): Violation[] {
  const { id, refusals, deliveries } = job;
  const isThere = stored.has(id) || deliveries.length > 0;
  if (refusals.length === 0 || !wasSentOnce(job) || !isThere) {
    return [];
  }
  const message = "Redis was full and refused it, and yet it was stored";
  return [{ rule: "refused but stored", id, message }];
}

/** A job stored once ends once, and nobody gets it afterwards. */
function checkEnds(job: JobHistory, stored: ReadonlySet<string>): Violation[] {
  if (!wasSentOnce(job)) {
    return [];
  }
  const { id, deliveries } = job;
  const ends = countEnds(job) + (stored.has(id) ? 1 : 0);
  if (ends > 1) {
    const message = `was stored once, but ended ${ends} times (being there now included)`;
    return [{ rule: "ended twice", id, message }];
  }
  const completion = deliveries.find(({ settlement }) => settlement === "completed");
  const later = completion && deliveries.find(({ token }) => token > completion.token);
  if (later) {
    const message = `${completion.token} completed it, and ${later.token} got it afterwards`;
    return [{ rule: "ended twice", id, message }];
  }
  const removedAt = Math.min(
    ...job.cancelAnswers.filter(({ answer }) => answer === "cancelled").map(({ at }) => at),
    ...job.purgeAnswers.filter(({ isPurged }) => isPurged).map(({ at }) => at),
  );
  const late = deliveries.find((delivery) => claimedAt(delivery) > removedAt);
  return late
    ? [{ rule: "ended twice", id, message: `was removed, and ${late.token} got it afterwards` }]
    : [];
}

/** How often somebody was told that the job is over now. */
export function countEnds({ deliveries, cancelAnswers, purgeAnswers }: JobHistory): number {
  return (
    deliveries.filter(({ settlement }) => settlement === "completed").length +
    cancelAnswers.filter(({ answer }) => answer === "cancelled").length +
    purgeAnswers.filter(({ isPurged }) => isPurged).length
  );
}
