/** What the enqueue script is called with, and what it answers. */
import { RedisUnavailableError } from "../model/errors.ts";
import { ENQUEUE_BATCH_BYTES, ENQUEUE_BATCH_JOBS } from "../model/limits.ts";
import type { RedisArgument } from "./client.ts";
import type { EnqueueReply, NewJob } from "./messages.ts";
import { flatReply, readItems, text } from "./replies.ts";
import { shardsChanged } from "./shard-layout.ts";
import { isMark } from "./shard-note.ts";

export function enqueueList(jobs: readonly NewJob[]): RedisArgument[] {
  const list: RedisArgument[] = [];
  for (const { id, envelope, due } of jobs) list.push(id, envelope, due);
  return list;
}

/**
 * @throws IncompatibleDataError where the queue is spread over another number of shards than the call said
 * @throws RedisUnavailableError while that number is being changed
 */
export function enqueueReplies(reply: unknown, jobs: number): EnqueueReply[] {
  const [first, second] = flatReply("enqueue", reply, 2);
  if (Number(first) < 0) {
    const note = text(second);
    throw isMark(note)
      ? new RedisUnavailableError(
          "the number of the queue's shards is being changed by another process",
        )
      : shardsChanged(note);
  }
  const flat = flatReply("enqueue", reply, jobs * 2, 2);
  return readItems(flat, 0, 2, (at) => {
    const dueAtMs = Number(flat[at + 1]);
    return { isCreated: Number(flat[at]) === 1, dueAtMs: dueAtMs < 0 ? undefined : dueAtMs };
  });
}

/** The jobs in their order, in parts that one call of the script may carry. */
export function enqueueBatches<Job extends NewJob>(jobs: readonly Job[]): Job[][] {
  const batches: Job[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const job of jobs) {
    const size = job.envelope.length;
    const current = batches.at(-1);
    if (current && current.length < ENQUEUE_BATCH_JOBS && bytes + size <= ENQUEUE_BATCH_BYTES) {
      current.push(job);
      bytes += size;
    } else {
      batches.push([job]);
      bytes = size;
    }
  }
  return batches;
}
