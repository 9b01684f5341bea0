/**
 * What each call does to the reference queue and answers, written for reading. A list is worked off
 * item by item, as if each were a call of its own.
 */
import type { Burial, Call, LeaseKey, Nack, NewJob, Reply } from "./calls.ts";
import { claim, type Moment } from "./reference-claim.ts";
import { listDead, peek, stats } from "./reference-views.ts";
import { dueOf, type Job, LEASE_EXPIRED, type ReferenceQueue } from "./reference-queue.ts";

type JobIds = readonly { readonly id: string }[];

export function answer(queue: ReferenceQueue, call: Call, moment: Moment): Reply {
  const { now } = moment;
  switch (call.script) {
    case "enqueue":
      return enqueue(queue, call.items, now);
    case "claim":
      return claim(queue, call.args, moment);
    case "ack":
      return call.items.map((item) => ack(queue, item));
    case "nack":
      return nack(queue, call.items, now);
    case "bury":
      return call.items.map((item) => bury(queue, item, now));
    case "extend":
      return extend(queue, call.items, now + call.args.visibilityTimeoutMs);
    case "reap":
      return reap(queue, call.args.maxJobs, call.items, now);
    case "redrive":
      return redrive(queue, call.items, now);
    case "purge":
      return call.items.map(({ id }) => purge(queue, id));
    case "cancel":
      return cancel(queue, call.args.id);
    case "reschedule":
      return reschedule(queue, call.args.id, call.args.dueText, now);
    case "pause":
      return pause(queue);
    case "resume":
      return resume(queue, now);
    case "leave":
      return leave(queue, call.args.workerId, now);
    case "open":
      return [queue.version, String(queue.shards), queue.jobs.size];
    case "stats":
      return stats(queue, now);
    case "peek":
      return peek(queue, call.items, call.args.maxBytes, now);
    case "listDead":
      return listDead(queue, call.args);
  }
}

function enqueue(queue: ReferenceQueue, items: readonly NewJob[], now: number): Reply {
  let earliestDue = Number.POSITIVE_INFINITY;
  const reply = items.flatMap(({ id, envelope, due: dueText }) => {
    const due = dueOf(dueText, now);
    const job = queue.jobs.get(id);
    if (!job) {
      const place = { in: "delayed", at: due } as const;
      queue.jobs.set(id, { envelope, attempts: 0, error: "", cameBackBy: undefined, place });
      queue.totals.enqueued += 1;
      queue.version = 1;
      queue.shards = 1;
      earliestDue = Math.min(earliestDue, due);
      return [1, due];
    }
    const dueNow = job.place.in === "delayed" ? job.place.at : undefined;
    const isResend = job.envelope === envelope;
    return isResend ? [1, dueNow ?? Math.min(due, now)] : [0, dueNow ?? -1];
  });
  queue.wakeFor(earliestDue, now);
  return reply;
}

/** 0: another token is in force, or nobody holds the job. -1: there is no such job. */
function refusal(queue: ReferenceQueue, id: string): number {
  return queue.jobs.has(id) ? 0 : -1;
}

function ack(queue: ReferenceQueue, lease: LeaseKey): number {
  if (!queue.held(lease)) return refusal(queue, lease.id);
  queue.jobs.delete(lease.id);
  queue.totals.completed += 1;
  return 1;
}

function nack(queue: ReferenceQueue, items: readonly Nack[], now: number): Reply {
  let earliestDue = Number.POSITIVE_INFINITY;
  const reply = items.map((item) => {
    const job = queue.held(item);
    if (!job) return refusal(queue, item.id);
    const due = now + item.delayMs;
    job.place = { in: "delayed", at: due };
    job.attempts += item.counts;
    job.error = item.error || job.error;
    job.cameBackBy = item.counts ? "retry" : "released";
    queue.totals.retried += item.counts;
    earliestDue = Math.min(earliestDue, due);
    return due;
  });
  queue.wakeFor(earliestDue, now);
  return reply;
}

function bury(queue: ReferenceQueue, item: Burial, now: number): number {
  const job = queue.held(item);
  if (!job) return refusal(queue, item.id);
  job.place = { in: "dead", at: now };
  job.attempts += item.counts;
  job.error = item.reason || job.error;
  job.cameBackBy = "retry"; // read by nobody: a dead job comes back by a redrive
  queue.totals.buried += 1;
  return 1;
}

/** The one call that answers only the first mention of a lease. */
function extend(queue: ReferenceQueue, leases: readonly LeaseKey[], deadline: number): Reply {
  const extended = new Set<Job>();
  return leases.map((lease) => {
    const job = queue.held(lease);
    if (!job || extended.has(job)) return 0;
    extended.add(job);
    job.place = { in: "processing", at: deadline, token: lease.token };
    return 1;
  });
}

function reap(
  queue: ReferenceQueue,
  maxJobs: number,
  delays: readonly { readonly delayMs: number }[],
  now: number,
): Reply {
  let earliestDue = Number.POSITIVE_INFINITY;
  const expired = queue.leases().filter(({ at }) => at <= now);
  const reaped = expired.slice(0, maxJobs).flatMap(({ id }) => {
    const job = queue.job(id);
    job.attempts += 1;
    const isSecondInARow = job.error === LEASE_EXPIRED && job.cameBackBy !== "retry";
    const backoffMs = delays[Math.min(job.attempts, delays.length) - 1]?.delayMs ?? Number.NaN;
    const due = isSecondInARow ? now + backoffMs : now;
    job.place = { in: "delayed", at: due };
    job.error = LEASE_EXPIRED;
    job.cameBackBy = "lease_expired";
    queue.totals.expired += 1;
    earliestDue = Math.min(earliestDue, due);
    return [id, job.attempts];
  });
  queue.wakeFor(earliestDue, now);
  return [queue.nextLeaseEndIn(now), ...reaped];
}

function redrive(queue: ReferenceQueue, ids: JobIds, now: number): Reply {
  const reply = ids.map(({ id }) => {
    const job = queue.jobs.get(id);
    if (job?.place.in !== "dead") return 0;
    Object.assign(job, {
      attempts: 0,
      error: "",
      cameBackBy: "redrive",
      place: { in: "delayed", at: now },
    });
    queue.totals.redriven += 1;
    return 1;
  });
  if (reply.includes(1)) queue.wakeFor(now, now);
  return reply;
}

function purge(queue: ReferenceQueue, id: string): number {
  if (queue.jobs.get(id)?.place.in !== "dead") return 0;
  queue.jobs.delete(id);
  queue.totals.purged += 1;
  return 1;
}

function cancel(queue: ReferenceQueue, id: string): string {
  const place = queue.jobs.get(id)?.place.in ?? "gone";
  if (place !== "delayed") return place;
  queue.jobs.delete(id);
  queue.totals.cancelled += 1;
  return "cancelled";
}

function reschedule(queue: ReferenceQueue, id: string, dueText: string, now: number): Reply {
  const job = queue.jobs.get(id);
  if (job?.place.in !== "delayed") return [job?.place.in ?? "gone", -1];
  const due = dueOf(dueText, now);
  job.place = { in: "delayed", at: due };
  queue.wakeFor(due, now);
  return ["rescheduled", due];
}

function pause(queue: ReferenceQueue): number {
  queue.isPaused = true;
  return 1;
}

function resume(queue: ReferenceQueue, now: number): number {
  queue.isPaused = false;
  queue.wakeForHead(now);
  return 1;
}

function leave(queue: ReferenceQueue, workerId: string, now: number): number {
  queue.waiting.delete(workerId);
  queue.claims.delete(workerId);
  queue.wakeForHead(now);
  return 1;
}
