/**
 * The seam for tracing: where a job's context goes into its headers, and where a handler runs inside
 * it. Both do nothing yet.
 */
import type { Headers } from "../core/model/envelope.ts";
import type { Job } from "../core/model/job.ts";

/** The headers to store with a job: the caller's own, and the context to continue from. */
export function withCreationContext(headers: Headers | undefined): Headers | undefined {
  return headers;
}

/** Runs a handler in the context of its job. */
export function traceProcess<T>(_queueName: string, _job: Job<T>, run: () => unknown): unknown {
  return run();
}
