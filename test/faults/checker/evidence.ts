/** What a check judges: the history that the processes wrote, and what Redis holds in the end. */
import type { QueueStats } from "../../../src/index.ts";
import type { Entry } from "../history/lines.ts";

export interface Place {
  readonly id: string;
  readonly place: "delayed" | "processing" | "dead";
}

export interface EndState {
  /** Ids that have an envelope. */
  readonly jobIds: readonly string[];
  readonly places: readonly Place[];
  readonly totals: QueueStats["totals"];
  readonly audit: {
    readonly isSound: boolean;
    readonly breaches: readonly { readonly id: string | undefined; readonly kind: string }[];
  };
  /** Whether nothing was left to run, after a time in which that should have come true. */
  readonly hasDrained: boolean;
}

export interface Evidence {
  /** In the order of time. */
  readonly entries: readonly Entry[];
  readonly end: EndState;
}

export type Rule =
  | "lost"
  | "not in one place"
  | "unknown job"
  | "refused but stored"
  | "ended twice"
  | "stale token accepted"
  | "token does not grow"
  | "token given twice"
  | "two holders"
  | "ran early"
  | "totals"
  | "audit"
  | "not drained"
  | "process failed";

export interface Violation {
  readonly rule: Rule;
  /** Undefined for what is about no single job. */
  readonly id: string | undefined;
  readonly message: string;
}

/**
 * Both clocks are this machine's, but read at two places and cut to milliseconds: what differs by no
 * more than this is no proof.
 */
export const CLOCK_SLACK_MS = 2;

/**
 * An enqueue that took less than this was sent once: holdfast waits longer before it repeats a call.
 * Only where it was sent again can a job be stored twice, when the first one has run in between.
 */
export const SENT_ONCE_WITHIN_MS = 25;
