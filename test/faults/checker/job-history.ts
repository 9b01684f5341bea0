/** The history, sorted by job and delivery. */
import type * as lines from "../history/lines.ts";
import type { Entry } from "../history/lines.ts";
import { SENT_ONCE_WITHIN_MS } from "./evidence.ts";

/** One token of one job. */
export interface DeliveryHistory {
  readonly token: number;
  readonly life: string;
  readonly startedAt: number;
  readonly dueAt: number;
  readonly attempt: number;
  readonly visibilityTimeoutMs: number;
  /** Starts under the same token after the first. */
  repeatedStarts: number;
  /** When the calls were made that extended the lease. */
  readonly extendedAt: number[];
  /** The last moment at which the lease was surely held by the holder's own account. */
  heldAt: number | undefined;
  /** From then on the holder may have given the job up: its handler ended, or its worker took the job away. */
  endedAt: number | undefined;
  intent: lines.Intent | undefined;
  retryDelayMs: number;
  settlement: lines.Settlement | undefined;
  isCounted: boolean;
}

export interface JobHistory {
  readonly id: string;
  readonly enqueues: lines.Enqueue[];
  readonly confirmations: lines.EnqueueConfirmed[];
  readonly refusals: lines.EnqueueRefused[];
  readonly cancels: lines.Cancel[];
  readonly cancelAnswers: lines.CancelAnswered[];
  readonly purges: lines.Purge[];
  readonly purgeAnswers: lines.PurgeAnswered[];
  /** By token, the smallest first. */
  deliveries: DeliveryHistory[];
}

/** A lease lost is not given up: nothing is settled for it. */
const GIVES_UP = new Set(["WORKER_CLOSING", "HANDLER_TIMEOUT"]);

export function jobHistories(entries: readonly Entry[]): Map<string, JobHistory> {
  const jobs = new Map<string, JobHistory>();
  const deliveries = new Map<string, DeliveryHistory>();
  const lastHold = new Map<string, lines.Hold>();
  for (const entry of entries) {
    if (entry.kind === "hold") {
      noteHeld(deliveries, lastHold.get(entry.life), entry);
      lastHold.set(entry.life, entry);
    } else if ("token" in entry) {
      noteDelivery(jobOf(jobs, entry.id), deliveries, entry);
    } else if ("id" in entry) {
      noteJob(jobOf(jobs, entry.id), entry);
    }
  }
  for (const job of jobs.values()) {
    job.deliveries.sort((first, second) => first.token - second.token);
  }
  return jobs;
}

/** When Redis gave the job out, by its clock: a token is that moment in microseconds. */
export function claimedAt({ token }: DeliveryHistory): number {
  return token / 1_000;
}

/** Whether Redis has made true what the holder decided. */
export function isAccepted({ settlement }: DeliveryHistory): boolean {
  return settlement !== undefined && settlement !== "lost";
}

export function isConfirmed({ confirmations }: JobHistory): boolean {
  return confirmations.length > 0;
}

/** Whether Redis can have been asked no more than once to store the job. */
export function wasSentOnce({ enqueues, confirmations, refusals }: JobHistory): boolean {
  const answers = [...confirmations, ...refusals];
  return enqueues.length === 1 && answers.length === 1 && answers[0]!.tookMs < SENT_ONCE_WITHIN_MS;
}

function jobOf(jobs: Map<string, JobHistory>, id: string): JobHistory {
  let job = jobs.get(id);
  if (!job) {
    job = {
      id,
      enqueues: [],
      confirmations: [],
      refusals: [],
      cancels: [],
      cancelAnswers: [],
      purges: [],
      purgeAnswers: [],
      deliveries: [],
    };
    jobs.set(id, job);
  }
  return job;
}

function noteJob(job: JobHistory, entry: Entry): void {
  switch (entry.kind) {
    case "enqueue":
      return void job.enqueues.push(entry);
    case "enqueue-confirmed":
      return void job.confirmations.push(entry);
    case "enqueue-refused":
      return void job.refusals.push(entry);
    case "cancel":
      return void job.cancels.push(entry);
    case "cancel-answered":
      return void job.cancelAnswers.push(entry);
    case "purge":
      return void job.purges.push(entry);
    case "purge-answered":
      return void job.purgeAnswers.push(entry);
    default:
  }
}

function noteDelivery(
  job: JobHistory,
  deliveries: Map<string, DeliveryHistory>,
  entry: Extract<Entry, { token: number }>,
): void {
  const key = leaseKey(entry.id, entry.token);
  const delivery = deliveries.get(key);
  if (entry.kind === "start") {
    if (delivery) {
      delivery.repeatedStarts += 1;
    } else {
      const started = startedDelivery(entry);
      deliveries.set(key, started);
      job.deliveries.push(started);
    }
    return;
  }
  if (!delivery) {
    // One that was lost before its handler started is no delivery to anybody.
    if (entry.kind === "settled" && entry.settlement === "lost") return;
    throw new Error(
      `${entry.life} tells the ${entry.kind} of a delivery that never started: ${key}`,
    );
  }
  switch (entry.kind) {
    case "extended":
      if (entry.isExtended) delivery.extendedAt.push(entry.sentAt);
      break;
    case "abort":
      if (GIVES_UP.has(entry.code)) delivery.endedAt ??= entry.at;
      break;
    case "end":
      delivery.endedAt ??= entry.at;
      delivery.intent = entry.intent;
      delivery.retryDelayMs = entry.delayMs;
      break;
    case "settled":
      delivery.settlement = entry.settlement;
      delivery.isCounted = entry.isCounted;
      break;
  }
}

function startedDelivery({
  token,
  life,
  at,
  dueAt,
  attempt,
  visibilityTimeoutMs,
}: lines.Start & { life: string }): DeliveryHistory {
  return {
    token,
    life,
    startedAt: at,
    dueAt,
    attempt,
    visibilityTimeoutMs,
    repeatedStarts: 0,
    extendedAt: [],
    heldAt: undefined,
    endedAt: undefined,
    intent: undefined,
    retryDelayMs: 0,
    settlement: undefined,
    isCounted: false,
  };
}

/** What a worker tells twice in a row, it held at the first of the two moments for certain. */
function noteHeld(
  deliveries: Map<string, DeliveryHistory>,
  before: lines.Hold | undefined,
  now: lines.Hold,
): void {
  const heldBefore = new Set(before?.leases.map(([id, token]) => leaseKey(id, token)));
  for (const [id, token] of now.leases) {
    const key = leaseKey(id, token);
    const delivery = heldBefore.has(key) ? deliveries.get(key) : undefined;
    if (delivery && before) delivery.heldAt = before.at;
  }
}

function leaseKey(id: string, token: number): string {
  return `${id}:${token}`;
}
