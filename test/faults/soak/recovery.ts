/** How long jobs waited for their next delivery after their holder was struck, and the queue after its Redis. */
import { type DeliveryHistory, isAccepted, jobHistories } from "../checker/job-history.ts";
import type { Entry } from "../history/lines.ts";

interface Redelivery {
  /** Until Redis gave the job back: its due time then. */
  readonly givenBackMs: number;
  /** Until its next handler started; what is due before comes first. */
  readonly startedMs: number;
}

export interface Recovery {
  /** After a holder's SIGKILL, of each job that it was running. */
  readonly afterKill: readonly Redelivery[];
  /** After a holder's SIGSTOP, of each job that another one took from it. */
  readonly afterStop: readonly Redelivery[];
  /** From the moment Redis answers again, or goes on, to the next start of any job. */
  readonly afterRedisMs: readonly number[];
}

export function measureRecovery(entries: readonly Entry[]): Recovery {
  const deliveriesOf = deliveriesByLife(entries);
  const after = (fault: string) =>
    entries.flatMap((entry) =>
      entry.kind === "fault" && entry.fault === fault
        ? redeliveries(deliveriesOf.get(entry.target) ?? [], entry.at)
        : [],
    );
  const startsAt = entries.filter(({ kind }) => kind === "start").map(({ at }) => at);
  const returnsAt = entries
    .filter((entry) => entry.kind === "fault-over" && /^(kill|stop)-redis$/.test(entry.fault))
    .map(({ at }) => at);
  return {
    afterKill: after("kill-process"),
    afterStop: after("stop-process"),
    afterRedisMs: returnsAt.flatMap((returnedAt) => {
      const next = startsAt.find((at) => at >= returnedAt);
      return next === undefined ? [] : [next - returnedAt];
    }),
  };
}

interface Succession {
  readonly before: DeliveryHistory | undefined;
  readonly delivery: DeliveryHistory;
  readonly next: DeliveryHistory | undefined;
}

function deliveriesByLife(entries: readonly Entry[]): Map<string, Succession[]> {
  const byLife = new Map<string, Succession[]>();
  for (const { deliveries } of jobHistories(entries).values()) {
    for (const [index, delivery] of deliveries.entries()) {
      const all = byLife.get(delivery.life) ?? [];
      all.push({ before: deliveries[index - 1], delivery, next: deliveries[index + 1] });
      byLife.set(delivery.life, all);
    }
  }
  return byLife;
}

/**
 * Of the jobs that were running when their holder was struck, and that were given back from it. Where the
 * delivery before had come to no good end either, the job waits its backoff by design: not counted. Nor is
 * a job that was claimed again in between and never started, as by a claim whose answer was lost.
 */
function redeliveries(successions: readonly Succession[], struckAt: number): Redelivery[] {
  return successions.flatMap(({ before, delivery, next }) => {
    const { startedAt, endedAt = Number.POSITIVE_INFINITY } = delivery;
    const wasRunning = startedAt <= struckAt && endedAt > struckAt;
    const wasTaken = next !== undefined && next.dueAt > struckAt && next.dueAt < endedAt;
    const waitsBackoff = before !== undefined && !isAccepted(before);
    return wasRunning && wasTaken && !waitsBackoff && next.attempt === delivery.attempt + 1
      ? [{ givenBackMs: next.dueAt - struckAt, startedMs: next.startedAt - struckAt }]
      : [];
  });
}
