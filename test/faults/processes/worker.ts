/** A worker whose handler writes down all that it can see of each delivery. */
import { HoldfastError, type Job, Worker } from "../../../src/index.ts";
import { WORKER_OPTIONS } from "../soak/setting.ts";
import { behave, type SoakJob } from "./behaviour.ts";
import { noteEnd, noteExtend, noteStart } from "./delivery-notes.ts";
import { beginLife } from "./life.ts";

const HOLD_EVERY_MS = 50;
const HEALTH_EVERY_MS = 50;
const HURRY_MS = 300;
const FINISH_MS = 5_000;

const life = beginLife((order) => {
  if (order === "report-health") reportHealth();
});
const { journal } = life;
/** Deliveries whose handlers run and whose signals have not aborted. */
const held = new Set<Job<SoakJob>>();

async function handle(job: Job<SoakJob>, { signal }: { signal: AbortSignal }): Promise<void> {
  noteStart(journal, job);
  held.add(job);
  const { id, fencingToken: token } = job;
  const onAbort = () => {
    held.delete(job);
    const code = signal.reason instanceof HoldfastError ? signal.reason.code : "UNKNOWN";
    journal.write({ kind: "abort", id, token, code });
  };
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    await behave(job, signal, () => noteExtend(journal, job));
    noteEnd(journal, job);
  } catch (error) {
    noteEnd(journal, job, error);
    throw error;
  } finally {
    held.delete(job);
    signal.removeEventListener("abort", onAbort);
  }
}

const worker = new Worker<SoakJob>(life.queue, handle, WORKER_OPTIONS);

worker.on("completed", ({ job: { id, fencingToken: token } }) => {
  journal.write({ kind: "settled", id, token, settlement: "completed", isCounted: false });
});
worker.on("retried", ({ job: { id, fencingToken: token }, counted }) => {
  journal.write({ kind: "settled", id, token, settlement: "retried", isCounted: counted });
});
worker.on("dead", ({ id, job }) => {
  if (job) {
    const token = job.fencingToken;
    journal.write({ kind: "settled", id, token, settlement: "dead", isCounted: true });
  } else {
    journal.write({ kind: "buried-unrun", id });
  }
});
worker.on("lease-lost", ({ id, fencingToken: token }) => {
  journal.write({ kind: "settled", id, token, settlement: "lost", isCounted: false });
});
worker.on("error", ({ code, message }) => journal.write({ kind: "error", code, message }));

/**
 * A lease told twice was held at the first of the two moments for certain: by the second one, a timer of
 * holdfast that was due at the first has run.
 */
function tellHeld(): void {
  if (held.size > 0) {
    const leases = [...held].map(({ id, fencingToken }) => [id, fencingToken] as const);
    journal.write({ kind: "hold", leases });
  }
  if (!life.isStopping) setTimeout(tellHeld, HOLD_EVERY_MS);
}

function reportHealth(): void {
  if (worker.health().healthy) {
    life.tell("healthy");
  } else {
    setTimeout(reportHealth, HEALTH_EVERY_MS);
  }
}

tellHeld();
await worker.start();
life.tell("ready");
const how = await life.stopped;
await worker.close({ timeoutMs: how === "hurry" ? HURRY_MS : FINISH_MS });
await life.end();
