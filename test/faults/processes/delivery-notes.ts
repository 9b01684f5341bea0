/** What workers and claimers write down of a delivery. */
import { DeadLetter, type Job, LeaseLostError, RetryLater } from "../../../src/index.ts";
import type { Journal } from "../history/journal.ts";
import { VISIBILITY_TIMEOUT_MS } from "../soak/setting.ts";

type Delivered = Pick<Job<unknown>, "id" | "fencingToken">;

export function noteStart(journal: Journal, job: Job<unknown>): void {
  journal.write({
    kind: "start",
    id: job.id,
    token: job.fencingToken,
    dueAt: job.dueAt.getTime(),
    attempt: job.attempt,
    visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS,
  });
}

/** @param error what the handler throws; none if it returns */
export function noteEnd(journal: Journal, { id, fencingToken }: Delivered, error?: unknown): void {
  const intent = error === undefined ? "complete" : error instanceof DeadLetter ? "bury" : "retry";
  const delayMs = error instanceof RetryLater ? error.delayMs : 0;
  journal.write({ kind: "end", id, token: fencingToken, intent, delayMs });
}

/** Extends the lease, and writes down what came of it. */
export async function noteExtend(journal: Journal, job: Job<unknown>): Promise<void> {
  const sentAt = Date.now();
  const note = (isExtended: boolean) =>
    journal.write({
      kind: "extended",
      id: job.id,
      token: job.fencingToken,
      sentAt,
      isExtended,
    });
  try {
    await job.extend();
    note(true);
  } catch (error) {
    if (error instanceof LeaseLostError) note(false);
    throw error;
  }
}
