/**
 * The reference that the scripts are compared with: a queue as plain maps. A job is one record in
 * exactly one place, so the invariant of the nine keys holds by construction.
 */
import type { LeaseKey } from "./calls.ts";

const STALLED_AFTER_MS = 100;
const WORKERS_TRIED = 3;

export const LEASE_EXPIRED = "lease expired: its worker stopped extending it";

type Place =
  | { readonly in: "delayed"; readonly at: number }
  | { readonly in: "processing"; readonly at: number; readonly token: number }
  | { readonly in: "dead"; readonly at: number };

export interface Job {
  readonly envelope: string;
  attempts: number;
  error: string;
  /** How its last delivery ended; undefined before its first one. */
  cameBackBy: "retry" | "lease_expired" | "released" | "redrive" | undefined;
  /** Where the job is; `at` is its due time, its lease's deadline or its time of death. */
  place: Place;
}

export interface LastClaim {
  at: number;
  readonly request: number;
  readonly token: number;
  readonly wasFull: boolean;
  readonly taken: readonly { readonly id: string; readonly due: number }[];
}

interface Timed {
  readonly id: string;
  readonly at: number;
}

export class ReferenceQueue {
  jobs = new Map<string, Job>();
  claims = new Map<string, LastClaim>();
  /** Worker id to when that worker looks next. */
  waiting = new Map<string, number>();
  totals = {
    enqueued: 0,
    completed: 0,
    retried: 0,
    expired: 0,
    buried: 0,
    redriven: 0,
    cancelled: 0,
    purged: 0,
  };
  version = 0;
  /** Over how many the queue is spread, as noted; the model plays one of them. */
  shards = 0;
  token = 0;
  isPaused = false;
  woken: string[] = [];
  /** The workers whose channels have a receiver; none where the queue sends no wake-ups. */
  readonly #hearing: ReadonlySet<string> | undefined;

  constructor(hearing: ReadonlySet<string> | undefined) {
    this.#hearing = hearing;
  }

  copy(): ReferenceQueue {
    const { jobs, claims, waiting, totals, version, shards, token, isPaused, woken } = this;
    const state = { jobs, claims, waiting, totals, version, shards, token, isPaused, woken };
    return Object.assign(new ReferenceQueue(this.#hearing), structuredClone(state));
  }

  passTime(ms: number): void {
    for (const job of this.jobs.values()) job.place = { ...job.place, at: job.place.at - ms };
    for (const claim of this.claims.values()) claim.at -= ms;
    for (const [workerId, look] of this.waiting) this.waiting.set(workerId, look - ms);
  }

  job(id: string): Job {
    const job = this.jobs.get(id);
    if (!job) throw new Error(`the reference has no job ${id}`);
    return job;
  }

  /** The job, if it is held under just this token. */
  held({ id, token }: LeaseKey): Job | undefined {
    const job = this.jobs.get(id);
    return job?.place.in === "processing" && job.place.token === token ? job : undefined;
  }

  /** Jobs in one place, by time; within one millisecond by id. */
  in(place: "delayed" | "dead"): Timed[] {
    const jobs = [...this.jobs].filter(([, job]) => job.place.in === place);
    return inOrder(jobs.map(([id, job]) => ({ id, at: job.place.at })));
  }

  /** By deadline; within one millisecond by `<id>:<token>`. */
  leases(): (Timed & LeaseKey & { readonly lease: string })[] {
    const leases = [...this.jobs].flatMap(([id, { place }]) =>
      place.in === "processing" ? [{ ...place, id, lease: `${id}:${place.token}` }] : [],
    );
    return inOrder(leases, ({ lease }) => lease);
  }

  /** Ms until the first lease ends. 0: one has ended. -1: nothing is held. */
  nextLeaseEndIn(now: number): number {
    const first = this.leases()[0];
    return first ? Math.max(0, first.at - now) : -1;
  }

  /** Who looks next, and when. Who has not looked in time is stalled and counts for nothing. */
  looks(now: number): Timed[] {
    const all = [...this.waiting].map(([id, at]) => ({ id, at }));
    return inOrder(all.filter(({ at }) => at >= now - STALLED_AFTER_MS));
  }

  /** One worker looks now, unless somebody looks by `due` anyway. Those who do not hear are dropped. */
  wakeFor(due: number, now: number): void {
    if (!this.#hearing || this.isPaused) return;
    for (const { id, at } of this.looks(now).slice(0, WORKERS_TRIED)) {
      if (at <= Math.max(due, now)) return;
      if (this.#hearing.has(id)) {
        this.waiting.set(id, now);
        this.woken.push(id);
        return;
      }
      this.waiting.delete(id);
    }
  }

  wakeForHead(now: number): void {
    const head = this.in("delayed")[0];
    if (head) this.wakeFor(head.at, now);
  }

  /** As many as fit into `maxBytes` of envelopes, but for the last one. */
  withinBytes<T extends { readonly id: string }>(items: readonly T[], maxBytes: number): T[] {
    let bytes = 0;
    return items.filter(({ id }) => {
      const fits = bytes < maxBytes;
      bytes += Buffer.byteLength(this.jobs.get(id)?.envelope ?? "");
      return fits;
    });
  }
}

/** `+<ms>` from now, or `<ms>` since 1970. */
export function dueOf(dueText: string, now: number): number {
  return Number(dueText) + (dueText.startsWith("+") ? now : 0);
}

/** As a sorted set has it: by score, then by the bytes of the member. */
function inOrder<T extends Timed>(entries: readonly T[], memberOf = ({ id }: T) => id): T[] {
  const bytes = (entry: T) => Buffer.from(memberOf(entry));
  return entries.toSorted((a, b) => a.at - b.at || Buffer.compare(bytes(a), bytes(b)));
}
