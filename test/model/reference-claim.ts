/** What a claim does to the reference queue and answers, and when its caller looks again. */
import type { ClaimArguments, Reply } from "./calls.ts";
import type { ReferenceQueue } from "./reference-queue.ts";

const DEPUTY_AFTER_MS = 1_000;
const FORGET_CLAIMS_AFTER_MS = 3_600_000;

/** The moment of a call by Redis's clock, and what only Redis can decide: checked, then taken over. */
export interface Moment {
  readonly now: number;
  /** Redis's clock in microseconds just before and just after the call. */
  readonly fromUs: number;
  readonly toUs: number;
  /** The token that a claim answered. */
  readonly token: number;
  /** The worker whose last claim was dropped. */
  readonly forgotten: string | undefined;
}

export function claim(queue: ReferenceQueue, ask: ClaimArguments, moment: Moment): Reply {
  const { now } = moment;
  const last = queue.claims.get(ask.workerId);
  if (last && last.request > ask.request) return [-1];
  const repeated = last?.request === ask.request && last.taken.length > 0 ? last : undefined;
  const token = repeated?.token ?? nextToken(queue.token, moment);
  const found = repeated
    ? repeated.taken.filter(({ id }) => queue.held({ id, token }))
    : dueJobs(queue, now).slice(0, ask.maxJobs);
  const taken = queue.withinBytes(found, ask.maxBytes);
  const hasAll = taken.length === ask.maxJobs || taken.length < found.length;
  const wasFull = repeated?.wasFull ?? hasAll;

  queue.waiting.delete(ask.workerId);
  if (!repeated) {
    const at = now + ask.visibilityTimeoutMs;
    for (const { id } of taken) queue.job(id).place = { in: "processing", at, token };
    if (taken.length > 0) queue.token = token;
    queue.claims.set(ask.workerId, { at: now, request: ask.request, token, wasFull, taken });
  }
  const lookIn = nextLook(queue, ask, wasFull, now);
  if (!repeated && lookIn >= 0) forget(queue, moment.forgotten, now);
  const jobs = taken.flatMap(({ id, due }) => [id, queue.job(id).envelope, due]);
  const history = taken.flatMap(({ id }, index) => {
    const { attempts, cameBackBy } = queue.job(id);
    return cameBackBy === undefined ? [] : [index + 1, attempts, cameBackBy];
  });
  return [token, now, lookIn, queue.nextLeaseEndIn(now), taken.length, ...jobs, ...history];
}

/** Larger than any before, and Redis's clock in microseconds unless that is behind. */
function nextToken(last: number, { now, fromUs, toUs, token }: Moment): number {
  const earliest = Math.max(last + 1, fromUs, now * 1_000);
  const latest = Math.max(last + 1, Math.min(toUs, now * 1_000 + 999));
  return token >= earliest && token <= latest ? token : Number.NaN;
}

function dueJobs(queue: ReferenceQueue, now: number): { id: string; due: number }[] {
  if (queue.isPaused) return [];
  const due = queue.in("delayed").filter(({ at }) => at <= now);
  return due.map(({ id, at }) => ({ id, due: at }));
}

/** Ms until the caller looks again: -1 if it is full or does not wait. */
function nextLook(
  queue: ReferenceQueue,
  ask: ClaimArguments,
  isFull: boolean,
  now: number,
): number {
  if (isFull && ask.comesBack === 1) return -1;
  if (isFull || ask.pollIntervalMs === 0) {
    queue.wakeForHead(now);
    return -1;
  }
  const latest = now + ask.pollIntervalMs;
  const head = queue.isPaused ? undefined : queue.in("delayed")[0];
  const [sentry, deputy] = queue.looks(now);
  let look = Math.min(head?.at ?? latest, latest);
  if (sentry && sentry.at <= look) {
    const asDeputy = Math.min(look + DEPUTY_AFTER_MS, latest);
    look = deputy && deputy.at <= asDeputy ? latest : asDeputy;
  }
  queue.waiting.set(ask.workerId, look);
  return Math.max(0, look - now);
}

/** Last claims of workers not heard of for an hour may be dropped. */
function forget(queue: ReferenceQueue, workerId: string | undefined, now: number): void {
  const last = workerId === undefined ? undefined : queue.claims.get(workerId);
  if (last && last.at < now - FORGET_CLAIMS_AFTER_MS) queue.claims.delete(workerId!);
}
