/** How the trace of a job's processing hangs together with that of its enqueue. */

/**
 * How a job is traced:
 *
 * - "link": each attempt is a trace of its own, linked to the enqueue. Traces stay small however long a job
 *   waits, and however often it enqueues itself again.
 * - "parent": each attempt is a part of the enqueue's trace, and linked to it as well. For jobs that run soon
 *   after, of which one trace should show all.
 * - "none": no spans for the job, nor is a context stored with it. Metrics count it all the same.
 */
export type TraceMode = "link" | "parent" | "none";

export const TRACE_MODES: readonly TraceMode[] = ["link", "parent", "none"];
