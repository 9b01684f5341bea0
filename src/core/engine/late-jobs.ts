/** Jobs of a claim that was answered only after repeats: their leases have been running all along. */
import { untraced } from "../../telemetry/contexts.ts";
import { monotonicNow } from "../model/clock.ts";
import type { JobStore } from "../store/job-store.ts";
import type { ClaimedJob, ClaimReply } from "../store/messages.ts";

/**
 * The jobs that are still held, and since when. Where a good part of the visibility timeout has gone
 * by since the claim was first sent, the leases are extended before anyone relies on them.
 *
 * @throws HoldfastError if Redis gives no answer: the claim is then to be repeated
 */
export async function renewLateJobs(
  store: JobStore,
  reply: ClaimReply,
  firstSentAt: number,
  visibilityTimeoutMs: number,
): Promise<{ jobs: readonly ClaimedJob[]; heldSince: number }> {
  const now = monotonicNow();
  if (reply.jobs.length === 0 || now - firstSentAt < visibilityTimeoutMs / 3) {
    return { jobs: reply.jobs, heldSince: firstSentAt };
  }
  const leases = reply.jobs.map(({ id }) => ({ id, token: reply.token }));
  const areHeld = await untraced(() => store.extend(leases, visibilityTimeoutMs));
  return { jobs: reply.jobs.filter((_, index) => areHeld[index]), heldSince: now };
}
