/** Stored jobs as a look-up shows them. Damage is shown, never thrown: it is what one looks for. */
import { type Codec, decodePayload } from "../model/codec.ts";
import { decodeEnvelope } from "../model/envelope.ts";
import { describeError } from "../model/errors.ts";
import type { JobSnapshot } from "../model/job.ts";
import type { JobStore } from "../store/job-store.ts";
import type { PeekedJob } from "../store/messages.ts";

/** The jobs with these ids, in order; undefined where there is none. */
export async function readSnapshots<T>(
  store: JobStore,
  codec: Codec,
  ids: readonly string[],
): Promise<(JobSnapshot<T> | undefined)[]> {
  const snapshots: (JobSnapshot<T> | undefined)[] = [];
  // A reply is cut once it is large, so the rest is asked for until all are there.
  while (snapshots.length < ids.length) {
    const rest = ids.slice(snapshots.length);
    const peeked = await store.peek(rest);
    for (const [index, job] of peeked.entries()) {
      snapshots.push(snapshot(codec, rest[index]!, job));
    }
  }
  return snapshots;
}

function snapshot<T>(codec: Codec, id: string, job: PeekedJob): JobSnapshot<T> | undefined {
  if (job.state === "gone") {
    return undefined;
  }
  const { state, atMs, failedAttempts, lastError } = job;
  const isWaiting = state === "delayed" || state === "due";
  return {
    id,
    state,
    failedAttempts,
    dueAt: isWaiting ? new Date(atMs) : undefined,
    diedAt: state === "dead" ? new Date(atMs) : undefined,
    lastError: lastError === "" ? undefined : lastError,
    ...readEnvelope<T>(codec, job.envelope),
  };
}

function readEnvelope<T>(
  codec: Codec,
  stored: string | Buffer,
): Pick<JobSnapshot<T>, "data" | "maxAttempts" | "enqueuedAt" | "headers" | "damage"> {
  const unread = { data: undefined, maxAttempts: undefined, enqueuedAt: undefined, headers: {} };
  try {
    const envelope = decodeEnvelope(stored);
    const { maxAttempts, headers } = envelope;
    const head = {
      maxAttempts,
      headers: headers ?? {},
      enqueuedAt: new Date(envelope.enqueuedAtMs),
    };
    try {
      return { ...head, data: decodePayload(codec, envelope.payload) as T, damage: undefined };
    } catch (error) {
      return { ...head, data: undefined, damage: describeError(error, 500) };
    }
  } catch (error) {
    return { ...unread, damage: describeError(error, 500) };
  }
}
