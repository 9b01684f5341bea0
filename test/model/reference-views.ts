/** What the calls that only read answer, and what the nine keys hold, as the reference has it. */
import type { KeyPart } from "../../src/core/store/keys.ts";
import type { DeadPage, Reply } from "./calls.ts";
import { type Job, LEASE_EXPIRED, type ReferenceQueue } from "./reference-queue.ts";

export function stats(queue: ReferenceQueue, now: number): Reply {
  const delayed = queue.in("delayed");
  const due = delayed.filter(({ at }) => at <= now);
  return [
    delayed.length - due.length,
    due.length,
    queue.leases().length,
    queue.in("dead").length,
    due[0] ? now - due[0].at : -1,
    queue.isPaused ? 1 : 0,
    queue.looks(now).length,
    ...Object.values(queue.totals),
  ];
}

export function peek(
  queue: ReferenceQueue,
  ids: readonly { readonly id: string }[],
  maxBytes: number,
  now: number,
): Reply {
  return queue.withinBytes(ids, maxBytes).flatMap(({ id }) => {
    const job = queue.jobs.get(id);
    if (!job) return ["gone", -1, "", 0, ""];
    const { envelope, attempts, error, place } = job;
    const state = place.in === "delayed" && place.at <= now ? "due" : place.in;
    return [state, place.in === "processing" ? -1 : place.at, envelope, attempts, error];
  });
}

export function listDead(queue: ReferenceQueue, page: DeadPage): Reply {
  const isAfter = ({ id, at }: { id: string; at: number }) =>
    at > page.afterMs ||
    (at === page.afterMs && Buffer.compare(Buffer.from(id), Buffer.from(page.afterId)) > 0);
  const listed = queue
    .in("dead")
    .filter(isAfter)
    .slice(0, page.maxJobs)
    .filter(({ at }) => at <= page.untilMs);
  return listed.flatMap(({ id, at }) => [id, at]);
}

/** What each key holds. Workers that are stalled count for nothing, whether dropped yet or not. */
export type Parts = Readonly<Record<KeyPart, ReadonlyMap<string, unknown>>>;

export function partsOf(queue: ReferenceQueue, now: number): Parts {
  const jobs = [...queue.jobs];
  const { version, shards, token, isPaused, totals } = queue;
  return {
    delayed: new Map(queue.in("delayed").map(({ id, at }) => [id, at])),
    processing: new Map(queue.leases().map(({ lease, at }) => [lease, at])),
    dead: new Map(queue.in("dead").map(({ id, at }) => [id, at])),
    jobs: new Map(jobs.map(([id, { envelope }]) => [id, envelope])),
    attempts: new Map(jobs.flatMap(([id, job]) => (job.attempts > 0 ? [[id, job.attempts]] : []))),
    errors: new Map(
      jobs.flatMap(([id, job]) => (storedError(job) === "" ? [] : [[id, storedError(job)]])),
    ),
    claims: queue.claims,
    waiting: new Map(queue.looks(now).map(({ id, at }) => [id, at])),
    meta: new Map(Object.entries({ version, shards, token, paused: isPaused ? 1 : 0, ...totals })),
  };
}

const MARKS = new Set(["\u0001", "\u0002", "\u0003"]);

/** The last error as `errors` holds it: with a mark in front where it does not tell why the job came back. */
function storedError({ error, cameBackBy }: Job): string {
  if (cameBackBy === "released") return `\u0001${error}`;
  if (cameBackBy === "redrive") return "\u0002";
  const misleads = cameBackBy === "retry" && error === LEASE_EXPIRED;
  return misleads || MARKS.has(error.charAt(0)) ? `\u0003${error}` : error;
}
