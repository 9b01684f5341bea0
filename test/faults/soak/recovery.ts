/** How long jobs waited for a new holder after their own was struck, and the queue after its Redis. */
import { claimedAt, type DeliveryHistory, jobHistories } from "../checker/job-history.ts";
import type { Entry } from "../history/lines.ts";

export interface Recovery {
  /** From a holder's SIGKILL to the start of the next delivery of each job that it was running. */
  readonly afterKillMs: readonly number[];
  /** From a holder's SIGSTOP to the same, where another one took the job. */
  readonly afterStopMs: readonly number[];
  /** From the moment Redis answers again, or goes on, to the next start of any job. */
  readonly afterRedisMs: readonly number[];
}

export function measureRecovery(entries: readonly Entry[]): Recovery {
  const deliveriesOf = deliveriesByLife(entries);
  const startsAt = entries.filter(({ kind }) => kind === "start").map(({ at }) => at);
  const afterKillMs: number[] = [];
  const afterStopMs: number[] = [];
  const afterRedisMs: number[] = [];
  for (const entry of entries) {
    if (entry.kind === "fault" && entry.fault === "kill-process") {
      afterKillMs.push(...redeliveriesMs(deliveriesOf.get(entry.target) ?? [], entry.at));
    } else if (entry.kind === "fault" && entry.fault === "stop-process") {
      afterStopMs.push(...redeliveriesMs(deliveriesOf.get(entry.target) ?? [], entry.at));
    } else if (entry.kind === "fault-over" && /^(kill|stop)-redis$/.test(entry.fault)) {
      const next = startsAt.find((at) => at >= entry.at);
      if (next !== undefined) afterRedisMs.push(next - entry.at);
    }
  }
  return { afterKillMs, afterStopMs, afterRedisMs };
}

interface Succession {
  readonly delivery: DeliveryHistory;
  readonly next: DeliveryHistory | undefined;
}

function deliveriesByLife(entries: readonly Entry[]): Map<string, Succession[]> {
  const byLife = new Map<string, Succession[]>();
  for (const { deliveries } of jobHistories(entries).values()) {
    for (const [index, delivery] of deliveries.entries()) {
      const all = byLife.get(delivery.life) ?? [];
      all.push({ delivery, next: deliveries[index + 1] });
      byLife.set(delivery.life, all);
    }
  }
  return byLife;
}

/** Of the jobs that were running when their holder was struck, and that another one got afterwards. */
function redeliveriesMs(successions: readonly Succession[], struckAt: number): number[] {
  return successions.flatMap(({ delivery, next }) => {
    const { startedAt, endedAt = Number.POSITIVE_INFINITY } = delivery;
    const wasRunning = startedAt <= struckAt && endedAt > struckAt;
    const wasTaken = next !== undefined && claimedAt(next) > struckAt && claimedAt(next) < endedAt;
    return wasRunning && wasTaken ? [next.startedAt - struckAt] : [];
  });
}
