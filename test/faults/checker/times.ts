/** Nothing runs before its due time, by Redis's clock. */
import { CLOCK_SLACK_MS, type Violation } from "./evidence.ts";
import { claimedAt, type DeliveryHistory, isAccepted, type JobHistory } from "./job-history.ts";

export function checkTimes(job: JobHistory): Violation[] {
  const { id, enqueues, deliveries } = job;
  // A job that was removed meanwhile may have been stored anew, by a late copy of its enqueue.
  const mayBeStoredAnew = job.cancels.length + job.purges.length > 0;
  const violations: Violation[] = [];
  const add = (message: string) => violations.push({ rule: "ran early", id, message });
  const earliestDueAt = Math.min(...enqueues.map((enqueue) => enqueue.earliestDueAt));
  for (const [index, delivery] of deliveries.entries()) {
    const { token, dueAt, startedAt } = delivery;
    // Both by Redis's own clock, so to the millisecond.
    if (Math.floor(claimedAt(delivery)) < dueAt) {
      add(`${token} was claimed ${Math.ceil(dueAt - claimedAt(delivery))} ms before it was due`);
    }
    if (startedAt + CLOCK_SLACK_MS < dueAt) {
      add(`${token} started ${dueAt - startedAt} ms before it was due`);
    }
    if (dueAt + CLOCK_SLACK_MS < earliestDueAt) {
      add(`${token} was due ${earliestDueAt - dueAt} ms before the producer wanted it`);
    }
    const next = deliveries[index + 1];
    if (next && !mayBeStoredAnew) checkPause(delivery, next, add);
  }
  return violations;
}

/** A retry that was accepted waits as long as its handler said. */
function checkPause(
  delivery: DeliveryHistory,
  next: DeliveryHistory,
  add: (message: string) => void,
): void {
  const { endedAt, retryDelayMs, settlement, token } = delivery;
  if (!isAccepted(delivery) || settlement !== "retried" || endedAt === undefined) {
    return;
  }
  const earlyMs = endedAt + retryDelayMs - claimedAt(next);
  if (earlyMs > CLOCK_SLACK_MS) {
    add(
      `${next.token} was claimed ${Math.ceil(earlyMs)} ms before the pause after ${token} was over`,
    );
  }
}
