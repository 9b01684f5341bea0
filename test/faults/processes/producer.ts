/** Enqueues drawn jobs until it is told to stop, and repeats what was not confirmed. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  ClosedError,
  type EnqueueOptions,
  EnqueueUnconfirmedError,
  HoldfastError,
  QueueFullError,
} from "../../../src/index.ts";
import { drawJob, type DrawnJob } from "./behaviour.ts";
import { beginLife } from "./life.ts";

const BURST = [1, 6] as const;
const PAUSE_MS = [40, 160] as const;
const MAX_UNDER_WAY = 200;
const MAX_TRIES = 20;
const RETRY_PAUSE_MS = 100;
/** A producer that is told to hurry leaves the rest in doubt. */
const HURRY_MS = 1_000;

const life = beginLife();
const { queue, journal, chance } = life;
const underWay = new Set<Promise<void>>();
let jobCount = 0;

interface NamedJob extends DrawnJob {
  readonly id: string;
  /** The same in each try. */
  readonly runAt: number;
}

function nextJob(): NamedJob {
  jobCount += 1;
  const drawn = drawJob(chance);
  const id = `${life.task.life}-${String(jobCount).padStart(6, "0")}`;
  return { ...drawn, id, runAt: Date.now() + drawn.delayMs };
}

/** Says that the job is about to be enqueued, and how. */
function announce({ id, delayMs, runAt, isRelative, options }: NamedJob): EnqueueOptions {
  const earliestDueAt = isRelative ? Date.now() + delayMs : delayMs === 0 ? 0 : runAt;
  journal.write({ kind: "enqueue", id, earliestDueAt });
  const due = delayMs === 0 ? {} : isRelative ? { delayMs } : { runAt };
  return { id, ...due, ...options };
}

function noteFailure(id: string, error: unknown, tookMs: number): void {
  if (error instanceof QueueFullError) {
    journal.write({ kind: "enqueue-refused", id, tookMs });
  } else {
    const code = error instanceof HoldfastError ? error.code : String(error);
    journal.write({ kind: "enqueue-failed", id, code });
  }
}

async function enqueueOne(job: NamedJob): Promise<void> {
  const { id, data } = job;
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const options = announce(job);
    const sentAt = performance.now();
    try {
      const { status } = await queue.enqueue(data, options);
      const tookMs = performance.now() - sentAt;
      journal.write({ kind: "enqueue-confirmed", id, status, tookMs });
      return;
    } catch (error) {
      noteFailure(id, error, performance.now() - sentAt);
      if (error instanceof ClosedError) return;
      await sleep(RETRY_PAUSE_MS);
    }
  }
}

/** All in one call. What the error does not name is confirmed, what it names is tried one by one. */
async function enqueueTogether(jobs: readonly NamedJob[]): Promise<void> {
  const items = jobs.map((job) => ({ data: job.data, ...announce(job) }));
  const sentAt = performance.now();
  let failedIds: readonly string[] = [];
  let failure: unknown;
  try {
    await queue.enqueueMany(items);
  } catch (error) {
    const isPartial = error instanceof QueueFullError || error instanceof EnqueueUnconfirmedError;
    failedIds = isPartial ? error.ids : jobs.map(({ id }) => id);
    failure = error;
  }
  const tookMs = performance.now() - sentAt;
  for (const { id } of jobs) {
    if (failedIds.includes(id)) {
      noteFailure(id, failure, tookMs);
    } else {
      journal.write({ kind: "enqueue-confirmed", id, status: "created", tookMs });
    }
  }
  const failed = jobs.filter(({ id }) => failedIds.includes(id));
  await Promise.all(failed.map((job) => enqueueOne(job)));
}

async function cancelLater(id: string, afterMs: number): Promise<void> {
  await sleep(afterMs);
  journal.write({ kind: "cancel", id });
  try {
    journal.write({ kind: "cancel-answered", id, answer: await queue.cancel(id) });
  } catch (error) {
    journal.write({ kind: "error", code: "cancel", message: String(error) });
  }
}

async function produce(jobs: readonly NamedJob[], isTogether: boolean): Promise<void> {
  await (isTogether ? enqueueTogether(jobs) : Promise.all(jobs.map((job) => enqueueOne(job))));
  const cancelled = jobs.filter(({ cancelAfterMs }) => cancelAfterMs !== undefined);
  await Promise.all(cancelled.map(({ id, cancelAfterMs }) => cancelLater(id, cancelAfterMs!)));
}

life.tell("ready");
while (!life.isStopping) {
  const isTogether = chance.happens(0.2);
  const jobs = Array.from({ length: chance.integer(...BURST) }, nextJob);
  const producing = produce(jobs, isTogether);
  underWay.add(producing);
  void producing.finally(() => underWay.delete(producing));
  if (underWay.size >= MAX_UNDER_WAY) {
    await Promise.race(underWay);
  }
  await Promise.race([sleep(chance.integer(...PAUSE_MS)), life.stopped]);
}
const rest = Promise.all(underWay);
await ((await life.stopped) === "hurry" ? Promise.race([rest, sleep(HURRY_MS)]) : rest);
await life.end();
