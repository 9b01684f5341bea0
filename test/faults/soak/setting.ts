/** What all processes of a soak agree on: who takes part, and how the queue is set up. */
import { exponential, Queue, type QueueOptions, type WorkerOptions } from "../../../src/index.ts";

/** Short, so that recovery happens often. All holders use it, as docs/guarantees.md asks for. */
export const VISIBILITY_TIMEOUT_MS = 1_500;

const PROCESS_KINDS = ["producer", "worker", "claimer", "operator"] as const;
export type ProcessKind = (typeof PROCESS_KINDS)[number];

export const PROCESS_NAMES = [
  "producer-1",
  "producer-2",
  "worker-1",
  "worker-2",
  "worker-3",
  "claimer-1",
  "operator-1",
] as const;

export function kindOf(processName: string): ProcessKind {
  return PROCESS_KINDS.find((kind) => processName.startsWith(kind))!;
}

export const WORKER_OPTIONS: WorkerOptions = {
  concurrency: 50,
  visibilityTimeoutMs: VISIBILITY_TIMEOUT_MS,
  pollIntervalMs: 1_000,
  backoff: exponential({ baseMs: 50, maxMs: 500 }),
};

/** The servers' arguments: what is acknowledged is on disk. */
export const REDIS_ARGUMENTS = ["--appendonly", "yes", "--appendfsync", "always"];

export const PREFIX = "holdfast";

const QUEUE_OPTIONS: Omit<QueueOptions<never>, "connection"> = {
  prefix: PREFIX,
  enqueueTimeoutMs: 2_000,
};

export function openQueue<T>(name: string, url: string, shards: number): Queue<T> {
  return new Queue<T>(name, { ...QUEUE_OPTIONS, connection: url, shards });
}
