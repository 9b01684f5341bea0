/** Enqueues jobs and has them confirmed: a few calls of the script and one WAIT behind them. */
import * as scripts from "../../scripts/generated.ts";
import type { ResolvedDurability } from "../model/durability.ts";
import { DurabilityError, HoldfastError } from "../model/errors.ts";
import { isEnough } from "./confirmation.ts";
import type { DurableConnection } from "./durable-connection.ts";
import { enqueueBatches } from "./enqueue-call.ts";
import type { JobStore } from "./job-store.ts";
import type { EnqueueReply, NewJob } from "./messages.ts";

/**
 * @param jobs all of this level
 * @param endsAt when the caller stops listening, on the monotonic clock
 * @returns per job its reply once confirmed, or why it has none
 */
export async function enqueueDurably(
  store: JobStore,
  connection: DurableConnection,
  jobs: readonly NewJob[],
  level: ResolvedDurability,
  endsAt: number,
): Promise<(EnqueueReply | HoldfastError)[]> {
  await store.open();
  const { source, sha1 } = scripts.enqueue;
  const batches = enqueueBatches(jobs);
  const calls = batches.map((batch) => store.enqueueCommand(batch).slice(1));
  const { replies, confirmed, waitedMs } = await connection.run(
    { source, sha1, calls },
    level,
    endsAt,
  );
  return batches.flatMap((batch, index): (EnqueueReply | HoldfastError)[] => {
    const stored = readReplies(store, replies[index], batch.length);
    if (stored instanceof HoldfastError) {
      return batch.map(() => stored);
    }
    if (confirmed instanceof HoldfastError) {
      return batch.map(() => confirmed);
    }
    if (isEnough(confirmed, level)) {
      return stored;
    }
    const shortfall = { required: level.required, confirmed, timeoutMs: waitedMs };
    return batch.map(({ id }) => new DurabilityError([id], shortfall));
  });
}

/** To be read before the confirmation: jobs that the script refused are not stored, however many replicas answer. */
function readReplies(
  store: JobStore,
  reply: unknown,
  jobs: number,
): EnqueueReply[] | HoldfastError {
  if (reply instanceof HoldfastError) {
    return reply;
  }
  try {
    return store.enqueueReplies(reply, jobs);
  } catch (error) {
    if (error instanceof HoldfastError) {
      return error;
    }
    throw error;
  }
}
