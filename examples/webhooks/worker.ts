/**
 * Delivers webhooks until SIGTERM or SIGINT, then finishes what it has in hand and ends. Run as many of
 * these as you like. Writes its log to standard output, one line of JSON an event.
 */
import { once } from "node:events";
import {
  DeadLetter,
  exponential,
  type HandlerContext,
  type Job,
  RetryLater,
  Worker,
} from "holdfast";
import { openWebhookQueue, type Webhook } from "./queue.ts";

const CLOSE_TIMEOUT_MS = 5_000;
const LONGEST_RETRY_AFTER_MS = 60 * 60_000;

const workerName = process.env.WORKER_NAME ?? `worker-${process.pid}`;
const queue = openWebhookQueue(
  process.env.REDIS_URL ?? "redis://127.0.0.1:6379",
  process.env.QUEUE_PREFIX ?? "holdfast",
);

const worker = new Worker(queue, deliver, {
  concurrency: 32,
  // A killed worker's jobs run elsewhere after this long.
  visibilityTimeoutMs: 3_000,
  // If it was the one that watches for due jobs, another looks after this long.
  pollIntervalMs: 1_000,
  backoff: exponential({ baseMs: 250, maxMs: 30_000 }),
  handlerTimeoutMs: 10_000,
});
worker.on("retried", ({ job, error, delayMs }) => {
  const { message } = error instanceof Error ? error : { message: "given back by close" };
  log("retried", { id: job.id, attempt: job.attempt, delayMs, message });
});
worker.on("dead", ({ id, reason }) => log("dead", { id, reason }));
worker.on("stalled", ({ ids }) => log("stalled", { ids }));
worker.on("lease-lost", ({ id }) => log("lease-lost", { id }));
worker.on("error", (error) => log("error", { code: error.code, message: error.message }));

const stopSignal = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
await worker.start();
log("started");
await stopSignal;
const summary = await worker.close({ timeoutMs: CLOSE_TIMEOUT_MS });
await queue.close();
log("closed", { ...summary });

async function deliver(job: Job<Webhook>, { signal }: HandlerContext): Promise<void> {
  const response = await fetch(job.data.url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "User-Agent": workerName,
      // The same on every attempt: by this the receiver knows a delivery that it has had already.
      "Idempotency-Key": job.id,
      // Larger on every attempt: by this it can refuse a sender that was overtaken.
      "Fencing-Token": String(job.fencingToken),
      "Webhook-Attempt": String(job.attempt),
      "Webhook-Due-At": job.dueAt.toISOString(),
      "Webhook-Sent-At": new Date().toISOString(),
    },
    body: JSON.stringify(job.data.event),
    redirect: "manual",
    signal,
  });
  await response.body?.cancel();
  if (response.status === 410) {
    throw new DeadLetter(`${job.data.url} is gone for good`);
  }
  const retryAfter = response.headers.get("Retry-After");
  if (response.status === 429 && retryAfter !== null) {
    throw new RetryLater({ delayMs: retryAfterMs(retryAfter), reason: "told to slow down" });
  }
  if (!response.ok) {
    throw new Error(`${job.data.url} answered ${response.status}`);
  }
}

/** @param header seconds, or a date */
function retryAfterMs(header: string): number {
  const seconds = Number(header);
  const delayMs = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1_000;
  if (Number.isNaN(delayMs)) {
    throw new Error(`Retry-After is neither a number nor a date: ${header}`);
  }
  return Math.round(Math.min(Math.max(delayMs, 0), LONGEST_RETRY_AFTER_MS));
}

function log(event: string, fields: Record<string, unknown> = {}): void {
  const line = { at: new Date().toISOString(), worker: workerName, event, ...fields };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
