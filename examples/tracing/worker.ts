/** Charges cards until SIGTERM. Writes what it does to standard output, one line of JSON an event. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { DeadLetter, fixed, type HandlerContext, type Job, Worker } from "holdfast";
import { openPayments, type Payment } from "./queue.ts";
import { inSpan, startTracing } from "./sdk.ts";

const CHARGE_MS = 120;
const SILENCE_MS = 60_000;

class GatewayTimeout extends Error {
  override readonly name = "GatewayTimeout";
}

const stopTracing = startTracing(process.env.PROCESS_NAME ?? "worker");
const queue = openPayments();
const worker = new Worker(queue, charge, {
  concurrency: 4,
  maxAttempts: 4,
  backoff: fixed({ delayMs: 400 }),
  // Short, so that a killed worker's job soon runs elsewhere.
  visibilityTimeoutMs: 3_000,
  pollIntervalMs: 500,
});
worker.on("stalled", ({ ids }) => log({ event: "stalled", ids }));
worker.on("error", (error) => console.error(error.message));

const stopSignal = once(process, "SIGTERM");
await worker.start();
log({ event: "started" });
await stopSignal;
await worker.close({ timeoutMs: 5_000 });
await queue.close();
await stopTracing();

function charge(job: Job<Payment>, { signal }: HandlerContext): Promise<void> {
  log({ event: "attempt", id: job.id, attempt: job.attempt });
  // The span of the attempt is active here, so this one goes below it.
  return inSpan("POST /charges", async () => {
    const { answers } = job.data;
    const answer = answers[Math.min(job.attempt, answers.length) - 1];
    await sleep(answer === "says nothing" ? SILENCE_MS : CHARGE_MS, undefined, { signal });
    if (answer === "times out") throw new GatewayTimeout("the card company did not answer in time");
    if (answer === "reports it stolen") throw new DeadLetter("the card was reported stolen");
  });
}

function log(line: object): void {
  process.stdout.write(`${JSON.stringify({ atMs: Date.now(), ...line })}\n`);
}
