/**
 * Many jobs in one call: handed over in slices, so that memory is bounded, and answered for together. The
 * next slice is on its way while the last one is answered.
 */
import {
  DurabilityError,
  EnqueueUnconfirmedError,
  OverloadedError,
  QueueFullError,
} from "../model/errors.ts";
import {
  ENQUEUE_MANY_SLICE,
  ENQUEUE_MANY_SLICE_BYTES,
  ENQUEUE_MANY_SLICES_IN_FLIGHT,
} from "../model/limits.ts";
import type { EnqueueReply, NewJob } from "../store/messages.ts";

/**
 * @returns the replies in the order of the jobs
 * @throws the first error; where it names ids, all of those that are not known to be stored and confirmed
 */
export async function enqueueInSlices(
  jobs: readonly NewJob[],
  enqueue: (job: NewJob) => Promise<EnqueueReply>,
): Promise<EnqueueReply[]> {
  const replies: EnqueueReply[] = [];
  const failures: unknown[] = [];
  const refused: string[] = [];
  let next = 0;
  const sendSlices = async () => {
    while (next < jobs.length && failures.length === 0) {
      const first = next;
      const slice = takeSlice(jobs, first);
      next += slice.length;
      for (const [index, result] of (await Promise.allSettled(slice.map(enqueue))).entries()) {
        if (result.status === "fulfilled") {
          replies[first + index] = result.value;
        } else {
          failures.push(result.reason);
          refused.push(slice[index]!.id);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: ENQUEUE_MANY_SLICES_IN_FLIGHT }, sendSlices));
  if (failures.length > 0) {
    const rest = jobs.slice(next).map(({ id }) => id);
    throw errorOfMany(failures[0], [...refused, ...rest]);
  }
  return replies;
}

/** The error of one job, as that of all jobs that are not known to be stored, or not confirmed. */
function errorOfMany(error: unknown, ids: readonly string[]): unknown {
  if (error instanceof QueueFullError) {
    return new QueueFullError(error.message, { cause: error, ids });
  }
  if (error instanceof OverloadedError) {
    return new OverloadedError(error.message, { cause: error, ids });
  }
  if (error instanceof DurabilityError) {
    return new DurabilityError(ids, error, { cause: error });
  }
  return error instanceof EnqueueUnconfirmedError
    ? new EnqueueUnconfirmedError(ids, error.timeoutMs, { cause: error.cause })
    : error;
}

/** As many jobs as may wait in memory at a time, at least one. */
function takeSlice(jobs: readonly NewJob[], first: number): readonly NewJob[] {
  let bytes = 0;
  let end = first;
  while (
    end < jobs.length &&
    end - first < ENQUEUE_MANY_SLICE &&
    bytes < ENQUEUE_MANY_SLICE_BYTES
  ) {
    bytes += jobs[end]!.envelope.length;
    end += 1;
  }
  return jobs.slice(first, end);
}
