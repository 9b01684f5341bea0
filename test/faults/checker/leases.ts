/** One holder at a time: what the deliveries of one job prove about its leases. */
import { CLOCK_SLACK_MS, type Violation } from "./evidence.ts";
import { claimedAt, type DeliveryHistory, isAccepted, type JobHistory } from "./job-history.ts";

export function checkLeases({ id, deliveries }: JobHistory): Violation[] {
  const violations: Violation[] = [];
  const add = (rule: Violation["rule"], message: string) => violations.push({ rule, id, message });
  for (const [index, delivery] of deliveries.entries()) {
    const { token, life, repeatedStarts } = delivery;
    if (repeatedStarts > 0) {
      add("token given twice", `${token} started ${repeatedStarts + 1} times, first in ${life}`);
    }
    const next = deliveries[index + 1];
    if (next) {
      checkTakeover(delivery, next, add);
      checkStale(delivery, next, add);
    }
    for (const later of deliveries) {
      if (isSurelyBefore(delivery, later) && delivery.token > later.token) {
        const message = `${later.token} in ${later.life} came after the larger ${token} in ${life}`;
        add("token does not grow", message);
      }
    }
  }
  return violations;
}

type Add = (rule: Violation["rule"], message: string) => void;

/**
 * Each time a job goes back it gets a new due time. So a delivery that had started before the due time of
 * another one was claimed before it too.
 */
function isSurelyBefore(first: DeliveryHistory, second: DeliveryHistory): boolean {
  return first.startedAt + CLOCK_SLACK_MS < second.dueAt;
}

/** The next holder's claim must come after the lease's end, or after the holder gave the job up. */
function checkTakeover(holder: DeliveryHistory, next: DeliveryHistory, add: Add): void {
  const takenAt = claimedAt(next) + CLOCK_SLACK_MS;
  const gaveUpAt = holder.endedAt ?? Number.POSITIVE_INFINITY;
  const inForceUntil = Math.min(leaseEndsAt(holder), gaveUpAt);
  const who = `${next.token} in ${next.life} was claimed`;
  if (takenAt < inForceUntil) {
    const earlyMs = Math.round(inForceUntil - claimedAt(next));
    add(
      "two holders",
      `${who} ${earlyMs} ms before the lease of ${holder.token} in ${holder.life} ended`,
    );
  }
  if (holder.heldAt !== undefined && takenAt < Math.min(holder.heldAt, gaveUpAt)) {
    const lateMs = Math.round(holder.heldAt - claimedAt(next));
    add(
      "two holders",
      `${who}, and ${lateMs} ms later ${holder.token} in ${holder.life} still believed to hold it`,
    );
  }
}

/**
 * By Redis's clock, no earlier than this: a visibility timeout after the claim, or after an extension
 * was asked for. The worker's own extensions are not seen here, only that it believes in them.
 */
function leaseEndsAt(delivery: DeliveryHistory): number {
  const renewedAt = [Math.floor(claimedAt(delivery)), ...delivery.extendedAt];
  return Math.max(...renewedAt) + delivery.visibilityTimeoutMs;
}

/** What a holder sent after the next one had the job must have been refused. */
function checkStale(holder: DeliveryHistory, next: DeliveryHistory, add: Add): void {
  const takenAt = claimedAt(next) + CLOCK_SLACK_MS;
  const { token, life, settlement, endedAt, extendedAt } = holder;
  if (isAccepted(holder) && endedAt !== undefined && endedAt > takenAt) {
    add(
      "stale token accepted",
      `${token} in ${life} was ${settlement} after ${next.token} had been claimed`,
    );
  }
  const staleExtension = extendedAt.find((sentAt) => sentAt > takenAt);
  if (staleExtension !== undefined) {
    add(
      "stale token accepted",
      `${token} in ${life} was extended after ${next.token} had been claimed`,
    );
  }
}
