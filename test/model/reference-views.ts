/** What the calls that only read answer, and what the nine keys hold, as the reference has it. */
import type { KeyPart } from "../../src/core/store/keys.ts";
import type { DeadPage, Reply } from "./calls.ts";
import type { ReferenceQueue } from "./reference-queue.ts";

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
  const dead = queue.in("dead");
  const rank = dead.findIndex(({ id }) => id === page.afterId);
  const earlier = page.afterId === "" ? [] : dead.filter(({ at }) => at < page.afterMs);
  const start = rank < 0 ? earlier.length : rank + 1;
  const listed = dead.slice(start, start + page.maxJobs).filter(({ at }) => at <= page.untilMs);
  return listed.flatMap(({ id, at }) => [id, at]);
}

/** What each key holds. Workers that are stalled count for nothing, whether dropped yet or not. */
export type Parts = Readonly<Record<KeyPart, ReadonlyMap<string, unknown>>>;

export function partsOf(queue: ReferenceQueue, now: number): Parts {
  const jobs = [...queue.jobs];
  const { version, token, isPaused, totals } = queue;
  return {
    delayed: new Map(queue.in("delayed").map(({ id, at }) => [id, at])),
    processing: new Map(queue.leases().map(({ lease, at }) => [lease, at])),
    dead: new Map(queue.in("dead").map(({ id, at }) => [id, at])),
    jobs: new Map(jobs.map(([id, { envelope }]) => [id, envelope])),
    attempts: new Map(jobs.flatMap(([id, job]) => (job.attempts > 0 ? [[id, job.attempts]] : []))),
    errors: new Map(jobs.flatMap(([id, { error }]) => (error === "" ? [] : [[id, error]]))),
    claims: queue.claims,
    waiting: new Map(queue.looks(now).map(({ id, at }) => [id, at])),
    meta: new Map(Object.entries({ version, token, paused: isPaused ? 1 : 0, ...totals })),
  };
}
